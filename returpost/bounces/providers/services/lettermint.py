"""Lettermint. https://docs.lettermint.co/platform/webhooks/events"""

from collections.abc import Iterator

from returpost.bounces.providers.authentication import BodyHmac
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

_IGNORED = (
    "message.created", "message.clicked", "message.inbound", "message.scheduled", "message.rescheduled",
    "message.canceled", "message.released", "suppression.added", "suppression.removed", "webhook.test",
)  # fmt: skip
_KINDS: dict[str, Result | None] = {
    "message.sent": Result.SENT,
    "message.delivered": Result.DELIVERED,
    **dict.fromkeys(
        (
            "message.soft_bounced", "message.hard_bounced", "message.failed", "message.suppressed",
            "message.policy_rejected", "message.auto_replied",
        ),
        Result.BOUNCED,
    ),
    "message.spam_complaint": Result.COMPLAINED,
    "message.unsubscribed": Result.UNSUBSCRIBED,
    "message.opened": Result.OPENED,
    **dict.fromkeys(_IGNORED, None),
}  # fmt: skip
_NEVER_SENT = ("message.failed", "message.policy_rejected")


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. `message.created` names all recipients, and each has its `message.sent`."""
    kind = text_of(event.get("event"))
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(kind)
        return
    data = event.get("data")
    response, reason = inner(data, "response"), text_of(inner(data, "reason"))
    codes = [kind.removeprefix("message."), NOT_SENT if kind in _NEVER_SENT else ""]
    yield normalized(
        text_of(event.get("id")) or None,
        inner(data, "recipient"),
        result,
        event.get("timestamp"),
        tags=[inner(data, "tag")],
        meta=inner(data, "metadata"),
        message_id=inner(data, "message_id"),
        text=inner(response, "content") or reason,
        codes=codes if result is Result.BOUNCED else [],
        suppressed=kind == "message.suppressed",
        status=inner(response, "enhanced_status_code"),
        reply_code=inner(response, "status_code"),
        kind=Kind.AUTO_REPLY if kind == "message.auto_replied" else None,
    )


PROVIDER = Provider(
    title="Lettermint",
    documentation="https://docs.lettermint.co/platform/webhooks/events",
    kinds=_KINDS,
    read=read,
    authentication=BodyHmac("x-lettermint-signature", timed=True),
    secrets="Signing secrets, `whsec_...`.",
)
