"""Mailgun, as JSON or as the form posts of its legacy webhooks.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks
https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure
https://mailgun-docs.redoc.ly/docs/mailgun/user-manual/tracking-messages/ (legacy: fields of the form)
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from returpost.bounces.providers.authentication import TokenHmac
from returpost.bounces.providers.normalized_result import (
    NOT_SENT,
    Event,
    Ignored,
    Item,
    addresses,
    inner,
    known_kind,
    moment,
    normalized,
    number_of,
    text_of,
)
from returpost.bounces.providers.payload import Provider, elements
from returpost.contracts import Result
from returpost.errors import InvalidMessage

_KINDS: dict[str, Result | None] = {
    "accepted": Result.SENT,
    "delivered": Result.DELIVERED,
    "failed": Result.BOUNCED,
    "rejected": Result.BOUNCED,
    "complained": Result.COMPLAINED,
    "unsubscribed": Result.UNSUBSCRIBED,
    "opened": Result.OPENED,
    "clicked": None,
    "stored": None,
    "list_member_uploaded": None,
    "list_member_upload_error": None,
    "list_uploaded": None,
}
_LEGACY: dict[str, Result | None] = {
    "bounced": Result.BOUNCED,
    "dropped": Result.BOUNCED,
}
"""Kinds that only the legacy webhooks have; the others have the same names."""
_SUPPRESSIONS = (605, 606, 607)
"""Codes of Mailgun's own: not delivering to an address that bounced, unsubscribed or complained before."""
_READ = (
    "event", "recipient", "timestamp", "Message-Id", "message-id", "message-headers", "code", "error", "notification",
    "reason", "description", "tag", "X-Mailgun-Tag", "campaign-id", "campaign-name",
)  # fmt: skip


def split(body: bytes) -> Iterable[bytes]:
    """Cut the body into events: a form (by its fields, or in parts with a boundary) is one. Raises `InvalidMessage`."""
    if body.lstrip()[:1] in (b"{", b"[", b""):
        return elements(body)
    return [json.dumps({"form": fields_of(body)}).encode()]


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form, `application/x-www-form-urlencoded` or `multipart/form-data`. Never raises."""
    if body.lstrip()[:2] == b"--":
        boundary, _, _ = body.lstrip().partition(b"\r\n")
        parts = (part.partition(b"\r\n\r\n") for part in body.split(boundary)[1:200])
        pairs = [(_name_of(head), value.removesuffix(b"\r\n").decode("utf-8", "replace")) for head, _, value in parts]
        return {name: value for name, value in pairs if name}
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1_000))
    except ValueError:
        return {}


def read(event: Event) -> Iterator[Item]:
    """Yield what one event says, with its envelope or, as the documentation shows it, without. `failed` with severity
    `temporary` is tried again by Mailgun.
    """
    if isinstance(event.get("form"), dict):
        yield from _legacy(event["form"])
        return
    data = event.get("event-data") or (event if "event" in event else None)
    if not isinstance(data, dict):
        raise InvalidMessage("event-data: missing")
    kind = data.get("event")
    result = known_kind(_KINDS, kind)
    if result is None:
        yield Ignored(str(kind))
        return
    if kind == "failed" and data.get("severity") == "temporary":
        result = Result.DEFERRED
    for address in _recipients(data):
        yield _one(data, str(kind), result, address)


def _one(data: Event, kind: str, result: Result, address: Any) -> Item:
    status = data.get("delivery-status")
    text = inner(status, "message") or inner(status, "description")
    code, reason = number_of(inner(status, "code")), text_of(data.get("reason"))
    codes = [data.get("severity"), reason] if kind == "failed" else []
    if kind == "rejected":
        text = f"{text_of(inner(data, 'reject', 'reason'))} {text_of(inner(data, 'reject', 'description'))}".strip()
        codes = [kind, NOT_SENT]
    return normalized(
        _event_id(data),
        address,
        result,
        data.get("timestamp"),
        tags=data.get("tags"),
        meta=data.get("user-variables"),
        message_id=inner(data, "message", "headers", "message-id"),
        text=text,
        codes=codes,
        suppressed=reason.startswith("suppress-") or code in _SUPPRESSIONS,
        reply_code=code,
        status=inner(status, "enhanced-code"),
        remote_mta=inner(status, "mx-host"),
    )


def _recipients(data: Event) -> list[Any]:
    """Return whom the event is about; a `rejected` one names them in the message alone, by commas. Raises
    `InvalidMessage` when nobody is named.
    """
    if named := data.get("recipient") or inner(data, "envelope", "targets"):
        return [named]
    if listed := inner(data, "message", "recipients"):
        return list(addresses(listed))
    headers = text_of(inner(data, "message", "headers", "to"))
    return [part.strip() for part in headers.split(",") if part.strip()] or [None]


def _legacy(fields: Event) -> Iterator[Item]:
    kind = text_of(fields.get("event"))
    result = known_kind(_KINDS | _LEGACY, kind)
    if result is None:
        yield Ignored(kind)
        return
    code, reason = number_of(fields.get("code")), text_of(fields.get("reason"))
    text = fields.get("error") or fields.get("description") or fields.get("notification")
    failed = result is Result.BOUNCED
    yield normalized(
        None,
        fields.get("recipient"),
        result,
        fields.get("timestamp"),
        tags=[fields[name] for name in ("tag", "X-Mailgun-Tag") if fields.get(name)],
        meta={name: value for name, value in fields.items() if name not in _READ},
        campaign=fields.get("campaign-id"),
        message_id=fields.get("Message-Id") or fields.get("message-id") or _header(fields, "message-id"),
        text=text if failed else None,
        codes=["permanent", "bounce" if kind == "bounced" else reason] if failed else [],
        suppressed=failed and (reason.startswith("suppress-") or code in _SUPPRESSIONS),
        reply_code=code if failed else None,
    )


def _header(fields: Event, name: str) -> Any:
    """Return a header of the message: they are a list of pairs in JSON."""
    try:
        headers = json.loads(text_of(fields.get("message-headers")))
    except (ValueError, RecursionError):
        return None
    pairs = [pair for pair in headers if isinstance(pair, list) and len(pair) == 2] if isinstance(headers, list) else []
    return next((value for key, value in pairs if str(key).lower() == name), None)


def _name_of(head: bytes) -> str:
    """Return the name of a part of a form, of those that are no file."""
    _, _, rest = head.partition(b'name="')
    return "" if b"filename=" in head else rest.partition(b'"')[0].decode("utf-8", "replace")


def signature_of(body: bytes) -> Any:
    """Return the object with `timestamp`, `token` and `signature`: in JSON it has a name, a form has it as fields."""
    if body.lstrip()[:1] not in (b"{", b"["):
        return fields_of(body)
    try:
        return inner(json.loads(body), "signature")
    except (ValueError, RecursionError):
        return None


def _event_id(data: Event) -> str | None:
    """Return the event's id with its day: Mailgun promises ids to be unique within one day."""
    identity = text_of(data.get("id"))
    return f"{moment(data.get('timestamp')).date()}:{identity}" if identity else None


PROVIDER = Provider(
    title="Mailgun",
    documentation="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks",
    kinds=(*_KINDS, *_LEGACY),
    read=read,
    split=split,
    authentication=TokenHmac(signature_of, max_age=timedelta(hours=9)),
    secrets="HTTP webhook signing keys.",
    final_status=406,  # https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-retries
)
