"""Unisender Go (and UniOne, which is the same service outside Russia).

https://godocs.unisender.ru/web-api-ref#webhook-format
https://docs.unione.io/en/web-api-ref#callback-format

It numbers no events, so ids are made from the content.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from returpost.bounces.providers.authentication import BodyMd5
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

_STATUS, _BLOCK = "transactional_email_status", "transactional_spam_block"
_STATUSES: dict[str, Result | None] = {
    **dict.fromkeys(("accepted", "sent"), Result.SENT),
    "delivered": Result.DELIVERED,
    **dict.fromkeys(("soft_bounced", "hard_bounced"), Result.BOUNCED),
    "spam": Result.COMPLAINED,
    "unsubscribed": Result.UNSUBSCRIBED,
    "opened": Result.OPENED,
    "clicked": None,
    "subscribed": None,
}
_TRIED_AGAIN = ("err_will_retry",)
_ON_A_LIST = ("err_unsubscribed", "err_skip_letter", "err_mailbox_discarded")
"""Delivery statuses of what was not sent, for what was known of the address before."""


def events(body: bytes) -> Iterable[bytes]:
    """Cut the events of all users and projects out of the envelope."""
    try:
        users = inner(json.loads(body), "events_by_user")
    except (ValueError, RecursionError):
        users = None
    if not isinstance(users, list):
        return [body]
    listed = [inner(user, "events") for user in users]
    return [json.dumps(entry).encode() for part in listed if isinstance(part, list) for entry in part]


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says."""
    name, data = text_of(event.get("event_name")), event.get("event_data")
    if name == _BLOCK:
        yield Ignored(name)
        return
    if name != _STATUS:
        raise UnknownKind(f"kind: {name[:60]!r} is not known" if name else "kind: missing")
    kind = text_of(inner(data, "status"))
    result = known_kind(_STATUSES, kind)
    if result is None:
        yield Ignored(kind)
        return
    info = inner(data, "delivery_info")
    status = text_of(inner(info, "delivery_status"))
    if status in _TRIED_AGAIN:
        result = Result.DEFERRED
    yield normalized(
        None,
        inner(data, "email"),
        result,
        _utc(inner(data, "event_time")),
        meta=inner(data, "metadata"),
        message_id=inner(data, "job_id"),
        text=inner(info, "destination_response"),
        codes=[kind, status] if result is Result.BOUNCED else [],
        suppressed=status in _ON_A_LIST,
    )


def _utc(time: Any) -> str | None:
    """Return the time, which is UTC and does not say so."""
    text = text_of(time).strip()
    return f"{text}+00:00" if text else None


PROVIDER = Provider(
    title="Unisender Go",
    documentation="https://godocs.unisender.ru/web-api-ref#webhook-format",
    kinds=(_STATUS, _BLOCK, *_STATUSES),
    read=read,
    split=events,
    authentication=BodyMd5("auth"),
    secrets="API keys of the account or project.",
)
