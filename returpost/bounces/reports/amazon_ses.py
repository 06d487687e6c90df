"""Notifications of Amazon SES that Amazon SNS sends by mail ("Amazon SNS notification contents for Amazon SES")."""

import json
from typing import Any

from returpost.bounces.mime.addresses import address, clean
from returpost.bounces.reports.report import MAX_RECIPIENTS, Finding
from returpost.contracts.enums import Kind, RecipientSource

_KINDS = {
    "Bounce": (Kind.FAILURE, "bounce", "bouncedRecipients"),
    "Complaint": (Kind.COMPLAINT, "complaint", "complainedRecipients"),
    "Delivery": (Kind.DELIVERED, "delivery", "recipients"),
    "DeliveryDelay": (Kind.DELAYED, "deliveryDelay", "delayedRecipients"),
}


def findings(text: str) -> tuple[list[Finding], dict[str, str]]:
    """Return what the notification says of each recipient, and the headers of the message; nothing if it is none."""
    start = text.find("{")
    if start < 0 or ('"notificationType' not in text.replace("\\", "") and '"eventType' not in text.replace("\\", "")):
        return [], {}
    try:
        event = _notification(text[start:])
        return (_findings(event), _headers(event.get("mail"))) if event else ([], {})
    except (ValueError, RecursionError, TypeError, AttributeError):
        return [], {}


def _notification(text: str) -> dict[str, Any] | None:
    # A mail may break the lines of the JSON within strings, so line ends are no part of it.
    event, _ = json.JSONDecoder(strict=False).raw_decode(text.replace("\n ", "").replace("\n", ""))
    inner = event.get("Message")
    found = json.loads(inner, strict=False) if isinstance(inner, str) else event
    return found if isinstance(found, dict) else None


def _findings(event: dict[str, Any]) -> list[Finding]:
    known = _KINDS.get(str(event.get("notificationType") or event.get("eventType")))
    if not known:
        return []
    kind, name, list_name = known
    detail = event.get(name) or {}
    found = []
    for entry in detail.get(list_name, [])[:MAX_RECIPIENTS]:
        values = entry if isinstance(entry, dict) else {"emailAddress": entry}
        type_ = " ".join(str(detail[key]) for key in ("bounceType", "bounceSubType", "delayType") if detail.get(key))
        found.append(
            Finding(
                kind=kind,
                final=address(str(values.get("emailAddress", ""))),
                source=RecipientSource.FINAL_RECIPIENT,
                status=_status(values.get("status")),
                diagnostic=clean(_text(values.get("diagnosticCode") or detail.get("smtpResponse") or type_)),
                reporting_mta=_text(detail.get("reportingMTA")).rpartition(";")[2].strip() or None,
                feedback_type=detail.get("complaintFeedbackType") if kind is Kind.COMPLAINT else None,
            )
        )
    return found


def _text(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return text.partition(";")[2].strip() if text.lower().startswith("smtp;") else text


def _status(value: object) -> str | None:
    parts = str(value).split(".")
    valid = (
        len(parts) == 3 and parts[0] in ("2", "4", "5") and all(part.isdecimal() and len(part) < 4 for part in parts)
    )
    return str(value) if valid and str(value).isascii() else None


def _headers(mail: object) -> dict[str, str]:
    if not isinstance(mail, dict):
        return {}
    found = {
        str(entry.get("name")).lower(): str(entry.get("value"))
        for entry in (mail.get("headers") or [])[:200]
        if isinstance(entry, dict)
    }
    found.setdefault("message-id", str(mail.get("messageId") or ""))
    return found
