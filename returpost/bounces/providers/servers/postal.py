"""Postal. https://docs.postalserver.io/developer/webhooks

The page shows the payload alone; what is sent has it in an envelope: `event`, `timestamp`, `payload`, `uuid`.
"""

from collections.abc import Iterator
from typing import Any

from returpost.bounces.providers.authentication import RsaSignature
from returpost.bounces.providers.normalized_result import (
    Event,
    Ignored,
    Item,
    inner,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Result

_KINDS: dict[str, Result | None] = {
    "MessageSent": Result.DELIVERED,
    "MessageDelayed": Result.DEFERRED,
    "MessageHeld": Result.DEFERRED,
    "MessageDeliveryFailed": Result.BOUNCED,
    "MessageBounced": Result.BOUNCED,
    "MessageLoaded": Result.OPENED,
    **dict.fromkeys(("MessageLinkClicked", "DomainDNSError", "SendLimitApproaching", "SendLimitExceeded"), None),
}
_OF_STATUS = {
    "Sent": "MessageSent",
    "SoftFail": "MessageDelayed",
    "HardFail": "MessageDeliveryFailed",
    "Held": "MessageHeld",
}
"""Kinds of payloads that come without an envelope."""


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. A held message waits for an operator, unless the suppression list holds it."""
    payload = event["payload"] if isinstance(event.get("payload"), dict) else event
    kind = text_of(event.get("event")) or _implied(payload)
    result = known_kind(_KINDS, kind)
    message = payload.get("original_message") or payload.get("message")
    if result is None or inner(message, "direction") == "incoming":
        yield Ignored(kind)
        return
    details = text_of(payload.get("details"))
    suppressed = kind == "MessageHeld" and "suppression list" in details.lower()
    yield _found(event, payload, message, kind, Result.BOUNCED if suppressed else result, suppressed=suppressed)


def _found(event: Event, payload: Event, message: Any, kind: str, result: Result, *, suppressed: bool) -> Item:
    time = payload.get("timestamp") or event.get("timestamp") or inner(payload, "bounce", "timestamp")
    text = text_of(payload.get("output") or payload.get("details"))
    if kind == "MessageBounced":
        text = text_of(inner(payload, "bounce", "subject"))
    return normalized(
        text_of(event.get("uuid")) or None,
        inner(message, "to"),
        result,
        time,
        tags=inner(message, "tag"),
        message_id=inner(message, "message_id") or inner(message, "token"),
        text=text,
        suppressed=suppressed,
        codes=[kind, payload.get("status")] if result is Result.BOUNCED else [],
    )


def _implied(payload: Event) -> str:
    if "bounce" in payload and "original_message" in payload:
        return "MessageBounced"
    return _OF_STATUS.get(text_of(payload.get("status")), "")


PROVIDER = Provider(
    title="Postal",
    documentation="https://docs.postalserver.io/developer/webhooks",
    kinds=_KINDS,
    read=read,
    authentication=RsaSignature(sha256_header="x-postal-signature-256", sha1_header="x-postal-signature"),
    secrets="Public keys, the Base64 after `p=` in the DKIM record of the Postal server, or shared secrets.",
)
