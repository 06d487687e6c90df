"""Resend. https://resend.com/docs/webhooks/event-types

An event tells all recipients of a message and not whose result it is: with several it is kept, and none is blamed.
"""

from collections.abc import Iterator

from returpost.bounces.providers.authentication import StandardWebhooks
from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Ignored,
    Item,
    addresses,
    inner,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider
from returpost.contracts import Result
from returpost.errors import InvalidMessage

_KINDS: dict[str, Result | None] = {
    "email.sent": Result.SENT,
    "email.delivered": Result.DELIVERED,
    "email.delivery_delayed": Result.DEFERRED,
    **dict.fromkeys(("email.bounced", "email.failed", "email.suppressed"), Result.BOUNCED),
    "email.complained": Result.COMPLAINED,
    "email.opened": Result.OPENED,
    **dict.fromkeys(("email.clicked", "email.scheduled", "email.received"), None),
    **dict.fromkeys(("suppression.added", "suppression.removed"), None),
    **dict.fromkeys((f"contact.{verb}" for verb in ("created", "updated", "deleted")), None),
    **dict.fromkeys((f"domain.{verb}" for verb in ("created", "updated", "deleted")), None),
}


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says. `created_at` is of the event: with message and type it is the same in every retry."""
    kind = text_of(event.get("type"))
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(kind)
        return
    data = event.get("data")
    recipients = addresses(inner(data, "to"))
    if len(recipients) > 1 and result is Result.OPENED:
        yield Ignored(kind)
        return
    if len(recipients) > 1 and result is not Result.SENT:
        raise InvalidMessage(f"data.to: {len(recipients)} recipients, and nothing tells whose result this is")
    for address in recipients:
        yield _one(event, kind, result, address)


def _one(event: Event, kind: str, result: Result, address: str) -> Item:
    data, time = event.get("data"), text_of(event.get("created_at"))
    identity = text_of(inner(data, "email_id"))
    detail = inner(data, kind.removeprefix("email.")) or inner(data, "bounce")
    text = _said(detail) or text_of(inner(detail, "message") or inner(detail, "reason"))
    codes = [kind, inner(detail, "type"), inner(detail, "subType")]
    suppressed = kind == "email.suppressed" or "suppress" in text_of(inner(detail, "subType")).lower()
    if kind == "email.failed":
        codes.append(NOT_SENT)
    return normalized(
        f"{identity}:{kind}:{time}:{address}" if identity else None,
        address,
        result,
        time or None,
        meta=_names(inner(data, "headers")) | _names(inner(data, "tags")),
        campaign=inner(data, "broadcast_id"),
        message_id=identity,
        text=text,
        suppressed=suppressed,
        codes=codes if result is Result.BOUNCED else [],
    )


def _said(detail: object) -> str:
    """Return what the server said; `message` is what the type means, in the same words for all."""
    codes = inner(detail, "diagnosticCode")
    return " ".join(filter(None, map(text_of, codes))) if isinstance(codes, list) else text_of(codes)


def _names(value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    entries = value if isinstance(value, list) else []
    return {text_of(entry.get("name")): entry.get("value") for entry in entries if isinstance(entry, dict)}


PROVIDER = Provider(
    title="Resend",
    documentation="https://resend.com/docs/webhooks/event-types",
    kinds=_KINDS,
    read=read,
    authentication=StandardWebhooks(),
    secrets="Signing secrets, `whsec_...`.",
)
