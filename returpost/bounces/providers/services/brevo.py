"""Brevo.

https://developers.brevo.com/docs/transactional-webhooks
https://developers.brevo.com/docs/marketing-webhooks

Its `id` is that of the webhook, not of the event, so ids are made from the content.
"""

from collections.abc import Iterator

from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
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
    text = text_of(event.get("reason"))
    if kind in ("blocked", "error"):
        text = SUPPRESSED if kind == "blocked" else f"{NOT_SENT}: {text}"
    yield normalized(
        None,
        event.get("email"),
        result,
        event.get("ts_epoch") or event.get("ts_event") or event.get("ts"),
        tags=event.get("tags") or event.get("tag"),
        meta=event.get("X-Mailin-custom"),
        campaign=event.get("camp_id"),
        message_id=event.get("message-id"),
        text=text,
        verdict=[kind] if result is Result.BOUNCED else [],
        provider="brevo",
    )


PROVIDER = Provider("brevo", read, elements)
