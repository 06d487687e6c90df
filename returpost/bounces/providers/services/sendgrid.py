"""Twilio SendGrid. https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event

Its `sg_event_id` may differ when an event is sent again, so ids are made from the content.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from returpost.bounces.providers.authentication import EcdsaSignature
from returpost.bounces.providers.normalized_result import (
    Event,
    Ignored,
    Item,
    UnknownKind,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Result

_KINDS: dict[str, Result | None] = {
    "processed": Result.SENT,
    "delivered": Result.DELIVERED,
    "deferred": Result.DEFERRED,
    "bounce": Result.BOUNCED,
    "blocked": Result.BOUNCED,
    "dropped": Result.BOUNCED,
    "spamreport": Result.COMPLAINED,
    "unsubscribe": Result.UNSUBSCRIBED,
    "group_unsubscribe": Result.UNSUBSCRIBED,
    "open": Result.OPENED,
    "click": None,
    "group_resubscribe": None,
    "account_status_change": None,
}
_FIELDS = {
    "url": "click", "attempt": "deferred", "response": "delivered", "reason": "dropped",
    "asm_group_id": "group_unsubscribe", "useragent": "open", "send_at": "processed", "pool": "processed",
}  # fmt: skip
_ON_A_LIST = ("bounced address", "unsubscribed address", "spam reporting address")
"""Reasons of `dropped` that repeat what was known of the address; the others are faults of the message or account."""


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. An open by a machine (`sg_machine_open`) is nobody's."""
    kind = event.get("event") or _implied(event)
    result = known_kind(_KINDS, kind)
    if result is None or (result is Result.OPENED and event.get("sg_machine_open") is True):
        yield Ignored(str(kind))
        return
    text = text_of(event.get("reason") or event.get("response"))
    codes: list[Any] = []
    if result is Result.BOUNCED:
        codes = [kind, event.get("type"), event.get("bounce_classification")]
    suppressed = kind == "dropped" and (text.lower().startswith(_ON_A_LIST) or text.lower() == "invalid")
    if suppressed:
        codes = [kind]
    yield normalized(
        None,
        event.get("email"),
        result,
        event.get("timestamp"),
        tags=event.get("category"),
        meta=event,
        campaign=event.get("singlesend_id") or event.get("marketing_campaign_id"),
        message_id=event.get("smtp-id") or text_of(event.get("sg_message_id")).partition(".")[0],
        text=text,
        codes=codes,
        suppressed=suppressed,
        status=event.get("status"),
    )


def _implied(event: Event) -> str:
    """Return the kind of an event that does not name it, as those that are copied by hand: by the fields that only
    this kind has. Raises `UnknownKind`.
    """
    if event.get("type") in ("bounce", "blocked", "expired") or ("reason" in event and "status" in event):
        return "bounce"
    for field, kind in _FIELDS.items():
        if field in event:
            return kind
    raise UnknownKind("kind: missing")


PROVIDER = Provider(
    title="Twilio SendGrid",
    documentation="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
    kinds=_KINDS,
    read=read,
    authentication=EcdsaSignature(
        header="x-twilio-email-event-webhook-signature",
        time_header="x-twilio-email-event-webhook-timestamp",
        max_age=timedelta(hours=25),  # it tries for 24 hours, and does not say that it signs again
    ),
    secrets="Verification keys as SendGrid shows them, or shared secrets.",
)
