"""KumoMTA: log records, as a log hook posts them, one, a list or JSON lines.

https://docs.kumomta.com/reference/log_record/ and https://docs.kumomta.com/userguide/operation/webhooks/
"""

from collections.abc import Iterator
from typing import Any

from returpost.bounces.providers.normalized_result import (
    Event,
    Ignored,
    Item,
    addresses,
    inner,
    known_kind,
    normalized,
    text_of,
)
from returpost.bounces.providers.payload import Provider, lines
from returpost.contracts import Result

_KINDS: dict[str, Result | None] = {
    "Reception": Result.SENT,
    "Delivery": Result.DELIVERED,
    **dict.fromkeys(("TransientFailure", "Delayed"), Result.DEFERRED),
    **dict.fromkeys(("Bounce", "Expiration", "AdminBounce", "OOB"), Result.BOUNCED),
    "Feedback": Result.COMPLAINED,
    **dict.fromkeys(("Rejection", "XferIn", "XferOut", "AdminRebind", "DeferredInjectionRebind"), None),
}
_FEEDBACK = {"opt-out": Result.UNSUBSCRIBED, "opt-out-list": Result.UNSUBSCRIBED, "not-spam": None}
"""Feedback types (RFC 5965 section 7.3, RFC 6430) that are no complaint."""


def read(event: Event) -> Iterator[Item]:
    """Yield what one record says of each of its recipients."""
    kind = text_of(event.get("type"))
    result = known_kind(_KINDS, kind)
    feedback = text_of(inner(event, "feedback_report", "feedback_type")).lower()
    if kind == "Feedback":
        result = _FEEDBACK.get(feedback, result)
    if result is None:
        yield Ignored(feedback or kind)
        return
    for address in addresses(_reported(event) if kind == "Feedback" else event.get("recipient")):
        yield _one(event, kind, result, address, feedback)


def _one(event: Event, kind: str, result: Result, address: str, feedback: str) -> Item:
    time, response = event.get("timestamp"), event.get("response")
    status = _status(inner(response, "enhanced_code"))
    code = inner(response, "code")
    text = " ".join(filter(None, (text_of(code), status, text_of(inner(response, "content")))))
    parts = (event.get("nodeid"), event.get("id"), kind, event.get("num_attempts"), time, address)
    report = event.get("feedback_report")
    headers, meta = event.get("headers"), event.get("meta")
    return normalized(
        ":".join(text_of(part) for part in parts) if event.get("id") else None,
        address,
        result,
        time,
        meta=(headers if isinstance(headers, dict) else {}) | (meta if isinstance(meta, dict) else {}),
        campaign=_campaign(event),
        message_id=_header(headers, "message-id") or event.get("id"),
        text=text if kind != "Reception" else None,
        codes=[kind, event.get("bounce_classification")] if result is Result.BOUNCED else [],
        reply_code=code,
        status=status,
        remote_mta=inner(event, "peer_address", "name") if kind not in ("Reception", "Feedback", "OOB") else None,
        feedback_type=feedback if report else None,
    )


def _reported(event: Event) -> Any:
    """Return who complained: the trace header of the message knows better than the report."""
    traced = inner(event, "feedback_report", "supplemental_trace", "recipient")
    reported = inner(event, "feedback_report", "original_rcpto_to")
    return traced or reported or inner(event, "feedback_report", "extensions", "removal-recipient")


def _campaign(event: Event) -> str:
    """Return the campaign: in the metadata, else the part before the colon in `campaign:tenant@domain`."""
    named = text_of(inner(event, "meta", "campaign"))
    before, colon, _ = text_of(event.get("queue")).partition(":")
    return named or (before if colon else "")


def _status(code: Any) -> str | None:
    parts = [inner(code, name) for name in ("class", "subject", "detail")]
    return ".".join(text_of(part) for part in parts) if all(isinstance(part, int) for part in parts) else None


def _header(headers: Any, name: str) -> Any:
    entries = headers.items() if isinstance(headers, dict) else ()
    return next((value for key, value in entries if key.lower() == name), None)


PROVIDER = Provider(
    title="KumoMTA",
    documentation="https://docs.kumomta.com/reference/log_record/",
    kinds=_KINDS,
    read=read,
    split=lines,
)
