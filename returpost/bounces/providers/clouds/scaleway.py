"""Scaleway Transactional Email, through Topics and Events, which speaks as SNS does.

https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads/
https://www.scaleway.com/en/docs/topics-and-events/
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from returpost.bounces.providers.authentication import SnsSignature
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
    "email_queued": Result.SENT,
    "email_delivered": Result.DELIVERED,
    "email_deferred": Result.DEFERRED,
    **dict.fromkeys(("email_dropped", "email_spam", "email_mailbox_not_found", "email_blocklisted"), Result.BOUNCED),
    "blocklist_created": None,
    "unknown_type": None,
}


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says, as it is or as the topic wraps it. `email_spam` is what the receiver said."""
    if event.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        yield Ignored(text_of(event["Type"]))
        return
    if event.get("Type") == "Notification":
        event = _unwrapped(text_of(event.get("Message")))
    kind = text_of(event.get("type"))
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(kind)
        return
    failed = result in (Result.BOUNCED, Result.DEFERRED)
    yield normalized(
        text_of(event.get("id")) or None,
        event.get("email_to"),
        result,
        event.get("created_at"),
        meta=_headers(event.get("email_headers")),
        message_id=_headers(event.get("email_headers")).get("Message-ID") or event.get("email_id"),
        text=(event.get("email_response_message") or event.get("email_error")) if failed else None,
        codes=[kind] if result is Result.BOUNCED else [],
        suppressed=kind == "email_blocklisted",
        reply_code=event.get("email_response_code"),
    )


def _unwrapped(message: str) -> Event:
    try:
        inside = json.loads(message)
    except (ValueError, RecursionError):
        inside = None
    if not isinstance(inside, dict):
        raise UnknownKind("kind: the notification carries no object, so it is none of Transactional Email")
    return inside


def _headers(value: Any) -> dict[str, Any]:
    entries = value if isinstance(value, list) else []
    return {text_of(entry.get("key")): entry.get("value") for entry in entries if isinstance(entry, dict)}


def certificate_names(url: str) -> list[str]:
    """Return the names that the certificate at this address may have: of its host, or of the service in its region."""
    host = urlsplit(url).hostname or ""
    return [host, f"sns.mnq.{host.removeprefix('messaging.s3.').partition('.')[0]}.scaleway.com"]


PROVIDER = Provider(
    title="Scaleway Transactional Email",
    documentation="https://www.scaleway.com/en/docs/transactional-email/reference-content/webhook-events-payloads/",
    kinds=_KINDS,
    read=read,
    authentication=SnsSignature(
        max_age=timedelta(hours=2),
        service=r"https?://sns\.mnq\.[a-z0-9-]{1,40}\.scaleway\.com/[^\s@]*",
        certificates=r"https://messaging\.s3\.[a-z0-9-]{1,40}\.scw\.cloud/[^\s@]*\.pem",
        names=certificate_names,
        issuers="",
        roots="",
    ),
    secrets="Demanded of every request besides what the topic signs.",
)
