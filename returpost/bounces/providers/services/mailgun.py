"""Mailgun.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks
https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure
"""

from collections.abc import Iterator

from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    SUPPRESSED,
    Event,
    Ignored,
    Item,
    inner,
    known_kind,
    moment,
    normalized,
    number_of,
    text_of,
)
from returpost.bounces.providers.payload import Provider, elements
from returpost.contracts import Result
from returpost.errors import InvalidMessage

_KINDS: dict[str, Result | None] = {
    "accepted": Result.SENT,
    "delivered": Result.DELIVERED,
    "failed": Result.BOUNCED,
    "rejected": Result.BOUNCED,
    "complained": Result.COMPLAINED,
    "unsubscribed": Result.UNSUBSCRIBED,
    "opened": Result.OPENED,
    "clicked": None,
    "stored": None,
    "list_member_uploaded": None,
    "list_member_upload_error": None,
    "list_uploaded": None,
}
_SUPPRESSIONS = (605, 606, 607)
"""Codes of Mailgun's own: not delivering to an address that bounced, unsubscribed or complained before."""


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says, with its envelope or, as the documentation shows it, without. `failed` with severity
    `temporary` is tried again by Mailgun.
    """
    data = event.get("event-data") or (event if "event" in event else None)
    if not isinstance(data, dict):
        raise InvalidMessage("event-data: missing")
    kind = data.get("event")
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(str(kind))
        return
    if kind == "failed" and data.get("severity") == "temporary":
        result = Result.DEFERRED
    status = data.get("delivery-status")
    text = inner(status, "message") or inner(status, "description")
    code, reason = number_of(inner(status, "code")), text_of(data.get("reason"))
    if reason.startswith("suppress-") or code in _SUPPRESSIONS:
        text = SUPPRESSED
    if kind == "rejected":
        text = f"{NOT_SENT}: {text_of(inner(data, 'reject', 'reason'))} {text_of(inner(data, 'reject', 'description'))}"
    yield normalized(
        _event_id(data),
        data.get("recipient") or inner(data, "envelope", "targets"),
        result,
        data.get("timestamp"),
        tags=data.get("tags"),
        meta=data.get("user-variables"),
        message_id=inner(data, "message", "headers", "message-id"),
        text=text,
        verdict=[data.get("severity"), reason] if kind == "failed" else [],
        provider="mailgun",
        reply_code=code,
        status=inner(status, "enhanced-code"),
        remote_mta=inner(status, "mx-host"),
    )


def _event_id(data: Event) -> str | None:
    """Return the event's id with its day: Mailgun promises ids to be unique within one day."""
    identity = text_of(data.get("id"))
    return f"{moment(data.get('timestamp')).date()}:{identity}" if identity else None


PROVIDER = Provider("mailgun", read, elements)
