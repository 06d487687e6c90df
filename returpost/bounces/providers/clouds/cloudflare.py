"""Cloudflare Email Sending: the events of a queue, as a Worker posts them or as they are pulled.

https://developers.cloudflare.com/email-service/reference/event-subscriptions/

Email Routing publishes no such events; what it returns to senders are mails.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Item,
    inner,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider, elements
from returpost.contracts import Result

_PREFIX = "cf.email.sending."
_KINDS: dict[str, Result | None] = {
    "message.delivered": Result.DELIVERED,
    "message.deferred": Result.DEFERRED,
    **dict.fromkeys(("message.bounced", "message.failed", "message.rejected"), Result.BOUNCED),
    "message.complained": Result.COMPLAINED,
}


def events(body: bytes) -> Iterable[bytes]:
    """Cut the body into events: one, a list, or the messages of a pull (`{"messages": [{"body": ...}]}`)."""
    try:
        value = json.loads(body) if b'"messages"' in body else None
    except (ValueError, RecursionError):
        value = None
    pulled = inner(value, "messages") or inner(value, "result", "messages")
    if not isinstance(pulled, list):
        return elements(body)
    return [_body_of(entry) for entry in pulled]


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says: each is about one recipient."""
    result = known_kind(_KINDS, text_of(event.get("type")).removeprefix(_PREFIX))
    payload = event.get("payload")
    delivery, bounce, rejection = (inner(payload, name) for name in ("delivery", "bounce", "rejection"))
    refused = inner(rejection, "reason") or inner(payload, "failure", "reason")
    suppressed = inner(rejection, "reason") == "suppressed"
    kind = text_of(event.get("type")).removeprefix(f"{_PREFIX}message.")
    codes = [kind, inner(bounce, "type"), inner(bounce, "classification"), refused]
    if kind in ("failed", "rejected") and not suppressed:
        codes.append(NOT_SENT)
    yield normalized(
        text_of(inner(payload, "eventId")) or None,
        inner(payload, "recipient"),
        result or Result.BOUNCED,
        inner(event, "metadata", "eventTimestamp"),
        message_id=inner(payload, "messageId"),
        text=inner(delivery, "smtpResponse") or inner(bounce, "reason") or inner(rejection, "detail"),
        codes=codes if result is Result.BOUNCED else [],
        suppressed=suppressed,
        status=inner(delivery, "smtpEnhancedStatusCode"),
        reply_code=inner(delivery, "smtpStatusCode"),
        feedback_type=inner(payload, "complaint", "type"),
    )


def _body_of(entry: Any) -> bytes:
    body = inner(entry, "body")
    return body.encode() if isinstance(body, str) else json.dumps(body if body is not None else entry).encode()


PROVIDER = Provider(
    title="Cloudflare Email Sending",
    documentation="https://developers.cloudflare.com/email-service/reference/event-subscriptions/",
    kinds=_KINDS,
    read=read,
    split=events,
)
