"""Mailtrap Email Sending, as JSON (`{"events": [...]}`) or as JSON lines.

https://docs.mailtrap.io/email-api-smtp/advanced/webhooks
"""

import json
from collections.abc import Iterable, Iterator

from returpost.bounces.providers.authentication import BodyHmac
from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Ignored,
    Item,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider, lines
from returpost.contracts import Result

_KINDS: dict[str, Result | None] = {
    "delivery": Result.DELIVERED,
    **dict.fromkeys(("soft bounce", "suspension"), Result.DEFERRED),
    **dict.fromkeys(("bounce", "reject"), Result.BOUNCED),
    "spam": Result.COMPLAINED,
    "unsubscribe": Result.UNSUBSCRIBED,
    "open": Result.OPENED,
    "click": None,
    "inbound.message_received": None,
}


def events(body: bytes) -> Iterable[bytes]:
    """Cut the list of events out of its envelope; lines stay as they are. Raises `InvalidMessage`."""
    parts = list(lines(body))
    if len(parts) > 1:
        return parts
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return parts
    listed = value.get("events") if isinstance(value, dict) else None
    return [json.dumps(entry).encode() for entry in listed] if isinstance(listed, list) else parts


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. A soft bounce and a suspension are tried again by Mailtrap."""
    kind = text_of(event.get("event"))
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(kind)
        return
    reason = text_of(event.get("reason"))
    suppressed = kind == "reject" and "suppress" in reason.lower()
    codes = [kind, event.get("bounce_category"), NOT_SENT if kind == "reject" and not suppressed else ""]
    yield normalized(
        text_of(event.get("event_id")) or None,
        event.get("email"),
        result,
        event.get("timestamp"),
        tags=event.get("category"),
        meta=event.get("custom_variables"),
        message_id=event.get("message_id"),
        text=event.get("response") or reason,
        codes=codes if result is Result.BOUNCED else [],
        suppressed=suppressed,
        reply_code=event.get("response_code"),
    )


PROVIDER = Provider(
    title="Mailtrap",
    documentation="https://docs.mailtrap.io/email-api-smtp/advanced/webhooks",
    kinds=_KINDS,
    read=read,
    split=events,
    authentication=BodyHmac("mailtrap-signature"),
    secrets="Signature keys of the webhooks.",
)
