"""Twilio SendGrid. https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event

Its `sg_event_id` may differ when an event is sent again, so ids are made from the content.
"""

from collections.abc import Iterator

from returpost.bounces.providers.normalized_result import (
    SUPPRESSED,
    Event,
    Ignored,
    Item,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider, elements
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
_ON_A_LIST = ("bounced address", "unsubscribed address", "spam reporting address")
"""Reasons of `dropped` that repeat what was known of the address; the others are faults of the message or account."""


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. An open by a machine (`sg_machine_open`) is nobody's."""
    kind = event.get("event")
    result = known_kind(_KINDS, kind)
    if result is None or (result is Result.OPENED and event.get("sg_machine_open") is True):
        yield Ignored(str(kind))
        return
    text = text_of(event.get("reason") or event.get("response"))
    verdict = []
    if result is Result.BOUNCED:
        verdict = [kind, event.get("type"), event.get("bounce_classification")]
    if kind == "dropped" and (text.lower().startswith(_ON_A_LIST) or text.lower() == "invalid"):
        verdict, text = [kind], SUPPRESSED
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
        verdict=verdict,
        provider="sendgrid",
        status=event.get("status"),
    )


PROVIDER = Provider("sendgrid", read, elements)
