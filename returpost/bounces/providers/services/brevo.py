"""Brevo.

https://developers.brevo.com/docs/transactional-webhooks
https://developers.brevo.com/docs/marketing-webhooks

Its `id` is that of the webhook, not of the event, so ids are made from the content.
"""

from collections.abc import Iterator

from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Ignored,
    Item,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Result

_IGNORED = (
    "click", "proxy_open", "unique_proxy_open", "list_addition", "contact_updated", "contact_deleted",
    "inboundEmailProcessed",
)  # fmt: skip
_KINDS: dict[str, Result | None] = {
    "request": Result.SENT,
    "sent": Result.SENT,
    "delivered": Result.DELIVERED,
    "deferred": Result.DEFERRED,
    **dict.fromkeys(("soft_bounce", "hard_bounce", "invalid_email", "blocked", "error"), Result.BOUNCED),
    **dict.fromkeys(("spam", "complaint"), Result.COMPLAINED),
    **dict.fromkeys(("unsubscribe", "unsubscribed"), Result.UNSUBSCRIBED),
    **dict.fromkeys(("opened", "unique_opened"), Result.OPENED),
    **dict.fromkeys(_IGNORED, None),
}


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. An open by a privacy proxy is nobody's."""
    kind = text_of(event.get("event"))
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(kind)
        return
    yield normalized(
        None,
        event.get("email"),
        result,
        event.get("ts_epoch") or event.get("ts_event") or event.get("ts"),
        tags=event.get("tags") or event.get("tag"),
        meta=event.get("X-Mailin-custom"),
        campaign=event.get("camp_id"),
        message_id=event.get("message-id"),
        text=event.get("reason"),
        codes=[kind, NOT_SENT if kind == "error" else ""] if result is Result.BOUNCED else [],
        suppressed=kind == "blocked",
    )


PROVIDER = Provider(
    title="Brevo",
    documentation="https://developers.brevo.com/docs/transactional-webhooks",
    kinds=_KINDS,
    read=read,
)
