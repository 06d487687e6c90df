"""MailerSend, in the form of its second version and in that of its first.

https://developers.mailersend.com/api/v1/webhooks.html
"""

from collections.abc import Iterator
from typing import Any

from returpost.bounces.providers.authentication import BodyHmac
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

_IGNORED = (
    "activity.clicked", "activity.clicked_unique", "activity.survey_opened", "activity.survey_submitted",
    "sender_identity.verified", "maintenance.start", "maintenance.end", "inbound_forward.failed", "inbound.message",
    "email_single.verified", "email_list.verified", "bulk_email.completed", "recipient.on_hold_added",
    "recipient.on_hold_removed", "webhook.test",
)  # fmt: skip
_KINDS: dict[str, Result | None] = {
    "activity.sent": Result.SENT,
    "activity.delivered": Result.DELIVERED,
    "activity.deferred": Result.DEFERRED,
    **dict.fromkeys(("activity.soft_bounced", "activity.hard_bounced", "activity.suppressed"), Result.BOUNCED),
    **dict.fromkeys(("activity.spam_complaint", "activity.spam_complaints"), Result.COMPLAINED),
    "activity.unsubscribed": Result.UNSUBSCRIBED,
    **dict.fromkeys(("activity.opened", "activity.opened_unique"), Result.OPENED),
    **dict.fromkeys(_IGNORED, None),
}
_REASONS = ("bounce_reason", "reject_reason", "suppression_reason", "unsubscribe_reason")


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. The first version has the message as `email`, and more of a bounce as `morph`."""
    kind = text_of(event.get("type"))
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(kind)
        return
    data, mail = event.get("data"), inner(event, "data", "email")
    own = inner(data, "meta")
    reason = next((text for name in _REASONS if (text := text_of(inner(own, name)))), "")
    text = reason or inner(data, "morph", "reason") or inner(data, "morph", "readable_reason")
    codes = [kind.removeprefix("activity."), inner(own, "bounce_type"), inner(data, "morph", "object")]
    time = inner(data, "created_at") or event.get("created_at")
    identity = text_of(inner(data, "id"))
    yield normalized(
        f"{identity}:{kind}" if identity else None,
        inner(mail, "recipient", "email") or _address(inner(data, "recipient")),
        result,
        time,
        tags=inner(mail, "tags") or inner(data, "tags"),
        message_id=inner(mail, "message", "id") or inner(data, "message_id"),
        text=text,
        codes=codes if result is Result.BOUNCED else [],
        suppressed=kind == "activity.suppressed",
        reply_code=inner(own, "bounce_code"),
    )


def _address(recipient: Any) -> Any:
    return inner(recipient, "email") or recipient


PROVIDER = Provider(
    title="MailerSend",
    documentation="https://developers.mailersend.com/api/v1/webhooks.html",
    kinds=_KINDS,
    read=read,
    authentication=BodyHmac("signature"),
    secrets="Signing secrets of the webhooks.",
)
