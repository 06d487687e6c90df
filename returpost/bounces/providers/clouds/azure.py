"""Azure Communication Services Email, through Event Grid, in its own schema or as CloudEvents.

https://learn.microsoft.com/azure/event-grid/communication-services-email-events
https://learn.microsoft.com/azure/event-grid/end-point-validation-event-grid-events-schema (the handshake)
"""

import json
from collections.abc import Iterator
from typing import Any

from returpost.bounces.providers.authentication import SharedSecret
from returpost.bounces.providers.normalized_result import (
    Event,
    Ignored,
    Item,
    UnknownKind,
    inner,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Result

VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_REPORT = "Microsoft.Communication.EmailDeliveryReportReceived"
_ENGAGEMENT = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
_IGNORED = (VALIDATION, "Microsoft.EventGrid.SubscriptionDeletedEvent")
_KINDS = (_REPORT, _ENGAGEMENT, *_IGNORED)
_STATUSES: dict[str, Result | None] = {
    "Delivered": Result.DELIVERED,
    **dict.fromkeys(("Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed"), Result.BOUNCED),
    **dict.fromkeys(("Expanded", "OutForDelivery"), None),
}


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says: a delivery report, or an open that tells whose it is."""
    kind = text_of(event.get("eventType") or event.get("type"))
    if kind == _REPORT:
        yield _report(event)
    elif kind == _ENGAGEMENT:
        yield _engagement(event)
    elif kind in _IGNORED:
        yield Ignored(kind)
    else:
        raise UnknownKind(f"kind: {kind[:80]!r} is not known")


def handshake(body: bytes) -> dict[str, Any] | None:
    """Return what Event Grid wants back before it sends events to a new subscription, if this asks for it."""
    if VALIDATION.encode() not in body:
        return None
    try:
        events = json.loads(body)
    except (ValueError, RecursionError):
        return None
    for event in events if isinstance(events, list) else [events]:
        if inner(event, "eventType") == VALIDATION:
            code = text_of(inner(event, "data", "validationCode"))
            return {"validationResponse": code} if code else None
    return None


def _report(event: Event) -> Item:
    data = event.get("data")
    status = text_of(inner(data, "status"))
    result = known_kind(_STATUSES, status)
    if result is None:
        return Ignored(status)
    details = inner(data, "deliveryStatusDetails")
    text = text_of(inner(details, "statusMessage") or (details if isinstance(details, str) else ""))
    return normalized(
        text_of(event.get("id")) or None,
        inner(data, "recipient"),
        result,
        inner(data, "deliveryAttemptTimeStamp") or inner(data, "deliveryAttemptTimestamp"),
        message_id=inner(data, "internetMessageId") or inner(data, "messageId"),
        text=text,
        suppressed=status == "Suppressed",
        codes=[status] if result is Result.BOUNCED else [],
        remote_mta=inner(details, "recipientMailServerHostName"),
    )


def _engagement(event: Event) -> Item:
    data = event.get("data")
    kind = text_of(inner(data, "engagementType")).lower()
    if kind not in ("view", "click"):
        raise UnknownKind(f"kind: engagement {kind[:60]!r} is not known")
    if kind == "click" or not inner(data, "recipient"):
        return Ignored(kind)
    return normalized(
        text_of(event.get("id")) or None,
        inner(data, "recipient"),
        Result.OPENED,
        inner(data, "userActionTimeStamp") or inner(data, "userActionTimestamp"),
        message_id=inner(data, "internetMessageId") or inner(data, "messageId"),
    )


PROVIDER = Provider(
    title="Azure Communication Services Email",
    documentation="https://learn.microsoft.com/azure/event-grid/communication-services-email-events",
    kinds=(*_KINDS, *_STATUSES),
    read=read,
    authentication=SharedSecret(query="secret"),
    handshake=handshake,
    asks_by_options=True,
)
