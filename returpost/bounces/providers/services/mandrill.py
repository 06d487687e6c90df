"""Mandrill (Mailchimp Transactional). https://mailchimp.com/developer/transactional/docs/webhooks/

A form with one field, `mandrill_events`, which holds a JSON list.
"""

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs

from returpost.bounces.providers.authentication import FormHmac
from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Ignored,
    Item,
    inner,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider, elements
from returpost.contracts import Result
from returpost.errors import InvalidMessage

_KINDS: dict[str, Result | None] = {
    "send": Result.SENT,
    "delivered": Result.DELIVERED,
    "deferral": Result.DEFERRED,
    **dict.fromkeys(("hard_bounce", "soft_bounce", "reject"), Result.BOUNCED),
    "spam": Result.COMPLAINED,
    "unsub": Result.UNSUBSCRIBED,
    "open": Result.OPENED,
    **dict.fromkeys(("click", "inbound", "blacklist", "whitelist", "denylist", "allowlist"), None),
}

_OF_THE_MESSAGE = ("invalid-sender", "test-mode-limit", "unsigned", "rule")
"""Reasons of `reject` that say nothing of the recipient; the others repeat what was known of the address."""


def form_events(body: bytes) -> Iterable[bytes]:
    """Return the exact bytes of each event in the form. Raises `InvalidMessage`."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        (events,) = fields["mandrill_events"]
        return elements(events.encode())
    except (KeyError, ValueError):
        raise InvalidMessage("body: not a form with the field mandrill_events") from None


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says; `type` stands for `event` when a list of Mandrill's is told about."""
    kind = text_of(event.get("event") or event.get("type"))
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(kind)
        return
    message = event.get("msg")
    text = text_of(inner(message, "diag")) or _last_reply(inner(message, "smtp_events"))
    reason = inner(message, "reject", "reason")
    time, identity = event.get("ts"), text_of(inner(message, "_id") or event.get("_id"))
    codes = [kind, inner(message, "bounce_description"), reason]
    suppressed = kind == "reject" and reason not in _OF_THE_MESSAGE
    if kind == "reject" and not suppressed:
        codes, text = [kind, NOT_SENT], text_of(reason)
    yield normalized(
        f"{identity}:{kind}:{text_of(time)}" if identity else None,
        inner(message, "email"),
        result,
        time,
        tags=inner(message, "tags"),
        meta=inner(message, "metadata"),
        message_id=identity,
        text=text,
        suppressed=suppressed,
        codes=codes if result is Result.BOUNCED else [],
    )


def _last_reply(events: object) -> str:
    last = events[-1] if isinstance(events, list) and events else None
    return text_of(inner(last, "diag"))


PROVIDER = Provider(
    title="Mandrill (Mailchimp Transactional)",
    documentation="https://mailchimp.com/developer/transactional/docs/webhooks/",
    kinds=_KINDS,
    read=read,
    split=form_events,
    authentication=FormHmac("x-mandrill-signature"),
    secrets="Webhook keys, or shared secrets as for the others.",
)
