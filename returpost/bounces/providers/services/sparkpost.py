"""SparkPost.

https://developers.sparkpost.com/api/webhooks/
https://support.sparkpost.com/docs/tech-resources/webhook-event-reference

Bounce classes: https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
"""

from collections.abc import Iterator

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
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Kind, Result
from returpost.errors import InvalidMessage

_IGNORED = (
    "click", "amp_click", "ab_test_completed", "ab_test_cancelled", "sms_status", "success", "error",
    "relay_injection", "relay_rejection", "relay_delivery", "relay_tempfail", "relay_permfail",
)  # fmt: skip
_KINDS: dict[str, Result | None] = {
    "injection": Result.SENT,
    "delivery": Result.DELIVERED,
    "delay": Result.DEFERRED,
    **dict.fromkeys(("bounce", "out_of_band", "policy_rejection"), Result.BOUNCED),
    **dict.fromkeys(("generation_failure", "generation_rejection"), Result.BOUNCED),
    "spam_complaint": Result.COMPLAINED,
    **dict.fromkeys(("list_unsubscribe", "link_unsubscribe"), Result.UNSUBSCRIBED),
    **dict.fromkeys(("open", "initial_open", "amp_open", "amp_initial_open"), Result.OPENED),
    **dict.fromkeys(_IGNORED, None),
}
_CLASSES: dict[str, Result | Kind | None] = {
    "60": Kind.AUTO_REPLY,
    "80": None,
    "90": Result.UNSUBSCRIBED,
    "100": Kind.CHALLENGE,
}
"""Bounce classes that are no failed delivery."""


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says; it lies in `msys`, under the name of its class. An empty one is a ping."""
    wrapped = event.get("msys")
    if not isinstance(wrapped, dict):
        raise InvalidMessage("msys: missing")
    for inside in wrapped.values():
        if not isinstance(inside, dict):
            raise InvalidMessage("msys: its event is no object")
        yield from _one(inside)
    if not wrapped:
        yield Ignored("ping")


def _one(event: Event) -> Iterator[Item]:
    type_ = text_of(event.get("type"))
    result = known_kind(_KINDS, type_)
    meaning: Result | Kind | None = result
    bounced = result is Result.BOUNCED
    if type_ in ("bounce", "out_of_band"):
        meaning = _CLASSES.get(text_of(event.get("bounce_class")), result)
    if meaning is None or (type_ == "spam_complaint" and event.get("fbtype") == "not-spam") or _by_a_machine(event):
        yield Ignored(type_)
        return
    text = text_of(event.get("raw_reason") or event.get("reason"))
    yield normalized(
        text_of(event.get("event_id")) or None,
        event.get("raw_rcpt_to") or event.get("rcpt_to"),
        meaning if isinstance(meaning, Result) else Result.BOUNCED,
        event.get("timestamp"),
        tags=event.get("rcpt_tags"),
        meta=event.get("rcpt_meta"),
        campaign=event.get("campaign_id"),
        message_id=event.get("transmission_id") or event.get("message_id"),
        text=text,
        codes=[type_, _class(event), NOT_SENT if type_.startswith("generation_") else ""] if bounced else [],
        reply_code=event.get("error_code"),
        remote_mta=event.get("ip_address") if type_ in ("bounce", "delay", "delivery") else None,
        feedback_type=event.get("fbtype"),
        kind=meaning if isinstance(meaning, Kind) else None,
    )


def _by_a_machine(event: Event) -> bool:
    """Tell whether a mail program has fetched the picture beforehand, as for privacy: an open of nobody's."""
    return inner(event, "user_agent_parsed", "is_prefetched") is True


def _class(event: Event) -> str:
    number = text_of(event.get("bounce_class"))
    return f"bounce_class {number}" if number else ""


PROVIDER = Provider(
    title="SparkPost",
    documentation="https://support.sparkpost.com/docs/tech-resources/webhook-event-reference",
    kinds=_KINDS,
    read=read,
)
