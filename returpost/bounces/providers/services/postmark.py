"""Postmark. https://postmarkapp.com/developer/webhooks/webhooks-overview, and the page of each record type there.

Types of bounces: https://postmarkapp.com/developer/api/bounce-api#bounce-types
"""

from collections.abc import Iterator
from typing import Any

from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Ignored,
    Item,
    UnknownKind,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Kind, Result

_KINDS: dict[str, Result | None] = {
    "Delivery": Result.DELIVERED,
    "Bounce": Result.BOUNCED,
    "SpamComplaint": Result.COMPLAINED,
    "SubscriptionChange": Result.UNSUBSCRIBED,
    "Open": Result.OPENED,
    "Click": None,
}
_TIMES = {
    Result.DELIVERED: "DeliveredAt",
    Result.COMPLAINED: "BouncedAt",
    Result.UNSUBSCRIBED: "ChangedAt",
    Result.OPENED: "ReceivedAt",
}
_ON_A_LIST = ("ManuallyDeactivated", "Unconfirmed")
_NEVER_SENT = ("SMTPApiError", "TemplateRenderingFailed")
_BOUNCES: dict[str, Result | Kind | None] = {
    **dict.fromkeys(
        (
            "HardBounce", "AddressChange", "DnsError", "SpamNotification", "OpenRelayTest", "Unknown", "SoftBounce",
            "VirusNotification", "BadEmailAddress", "Blocked", "DMARCPolicy",
        ),
        Result.BOUNCED,
    ),
    **dict.fromkeys((*_ON_A_LIST, *_NEVER_SENT), Result.BOUNCED),
    "Transient": Result.DEFERRED,
    "SpamComplaint": Result.COMPLAINED,
    "Unsubscribe": Result.UNSUBSCRIBED,
    "AutoResponder": Kind.AUTO_REPLY,
    "ChallengeVerification": Kind.CHALLENGE,
    "Subscribe": None,
    "InboundError": None,
}  # fmt: skip


def read(event: Event) -> Iterator[Item]:
    """Yield what one record says."""
    kind = event.get("RecordType")
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(str(kind))
    elif kind == "Bounce":
        yield _bounce(event)
    elif kind == "SubscriptionChange" and not _unsubscribed(event):
        yield Ignored("SubscriptionChange")
    else:
        time = event.get(_TIMES[result])
        yield _found(event, event.get("Recipient") or event.get("Email"), result, time, text=event.get("Details"))


def _unsubscribed(event: Event) -> bool:
    """Tell whether the recipient left; what Postmark puts on its list for a bounce or a complaint has the same origin,
    and is told by other records."""
    reason = text_of(event.get("SuppressionReason"))
    left = event.get("SuppressSending") is True and event.get("Origin") == "Recipient"
    return left and reason in ("", "ManualSuppression")


def _bounce(event: Event) -> Item:
    type_ = text_of(event.get("Type"))
    if type_ not in _BOUNCES:
        raise UnknownKind(f"kind: Bounce of type {type_[:60]!r} is not known")
    meaning = _BOUNCES[type_]
    if meaning is None:
        return Ignored(type_)
    text = text_of(event.get("Details"))  # `Description` is what the type means, and no server's words
    return _found(
        event,
        event.get("Email"),
        meaning if isinstance(meaning, Result) else Result.BOUNCED,
        event.get("BouncedAt"),
        text=text,
        codes=[type_, event.get("TypeCode"), NOT_SENT if type_ in _NEVER_SENT else ""],
        suppressed=type_ in _ON_A_LIST,
        kind=meaning if isinstance(meaning, Kind) else None,
    )


def _found(event: Event, address: Any, result: Result, time: Any, **more: Any) -> Item:
    message = text_of(event.get("MessageID"))
    number = text_of(event.get("ID"))
    own = number or f"{message}:{text_of(address)}:{text_of(time)}"
    return normalized(
        f"{event.get('RecordType')}:{own}",
        address,
        result,
        time,
        tags=event.get("Tag"),
        meta=event.get("Metadata"),
        message_id=message,
        **more,
    )


PROVIDER = Provider(
    title="Postmark",
    documentation="https://postmarkapp.com/developer/webhooks/webhooks-overview",
    kinds=(*_KINDS, *_BOUNCES),
    read=read,
)
