"""The side panel of a returned or blocked address: what happened, why, what to do, and the way to the person."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.console.components.markup import Tag, link
from services.console.components.shell import Visitor
from services.console.i18n import Texts, reasons


def code_of(row: Mapping[str, Any]) -> str:
    """Return reply code and enhanced status as a server wrote them."""
    return " ".join(str(part) for part in (row.get("code"), row.get("enhanced_status")) if part)


def reason_cell(texts: Texts, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the cell of a reason: its name, and in full when the pointer rests on it."""
    reason = row.get("reason")
    if not reason:
        return None
    return {"text": reasons.title(texts, reason), "title": reasons.sentence(texts, reason, row["address"])}


def why(visitor: Visitor, reason: str | None, address: str, tone: str = "bad") -> None:
    """Say in plain words why, and what to do about it."""
    if not reason:
        return
    with Tag("div", f"why {tone}"):
        Tag("strong", text=reasons.title(visitor.texts, reason))
        Tag("p", text=reasons.sentence(visitor.texts, reason, address))
        Tag("p", text=reasons.advice(visitor.texts, reason))


def facts(pairs: Mapping[str, str | None]) -> None:
    """A list of what is known; what is not known is left out."""
    with Tag("dl", "facts"):
        for name, value in pairs.items():
            if value:
                with Tag("div"):
                    Tag("dt", text=name)
                    Tag("dd", text=value)


def message(visitor: Visitor, text: str | None) -> None:
    """The full message of the receiving server."""
    if text:
        Tag("h3", text=visitor.t("Full message"))
        Tag("pre", "message", text, tabindex="0")


def person_link(visitor: Visitor, row: Mapping[str, Any]) -> None:
    """The button that opens the person, or the address when it belongs to nobody."""
    contact = row.get("contact")
    target = f"/contacts/{quote(str(contact), safe='')}" if contact else f"/addresses/{quote(row['address'], safe='@')}"
    link(visitor.t("Open"), target, "button primary")


async def detail(visitor: Visitor, row: Mapping[str, Any]) -> None:
    """Draw the panel of one row."""
    texts, t = visitor.texts, visitor.t
    hard = row.get("status") == "hard_bounced"
    why(visitor, row.get("reason"), row["address"], "bad" if hard or row.get("blocked") else "warn")
    facts(
        {
            t("E-mail address"): row["address"],
            t("Name"): row.get("name"),
            t("Company"): row.get("company"),
            t("Mailing"): row.get("mailing_name") or row.get("mailing"),
            t("Status"): reasons.word(texts, reasons.STATUSES, row.get("status")),
            t("Cause of the block"): reasons.word(texts, reasons.CAUSES, row.get("cause")),
            t("Number of bounces"): texts.number(row["return_count"]) if row.get("return_count") else None,
            t("Sent"): texts.full_time(row.get("sent_at")),
            t("Bounced"): texts.full_time(row.get("returned_at")),
            t("Opened"): texts.full_time(row.get("opened_at")),
            t("Complained"): texts.full_time(row.get("complained_at")),
            t("Blocked since"): texts.full_time(row.get("blocked_since")),
            t("Code"): code_of(row),
            t("Rule"): row.get("rule"),
        }
    )
    message(visitor, row.get("diagnostic"))
    person_link(visitor, row)
