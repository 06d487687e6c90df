"""The side panel of a returned or blocked address: why, the way to repair it, the way to the person, what happened."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from services.console.components.address_editor import AddressEditor, Leave
from services.console.components.markup import Tag, link
from services.console.components.progress import After, Toast
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
    link(visitor.t("Open"), target, "button")


async def detail(visitor: Visitor, row: Mapping[str, Any], after: After, following: Leave) -> None:
    """Draw the panel of one row: `after` is told of a repair, `following` opens the next row."""
    texts, t = visitor.texts, visitor.t
    hard, bad = row.get("status") == "hard_bounced", row.get("blocked") or row.get("reason")
    editor = None
    if row.get("corrected_to"):
        corrected(visitor, row["corrected_to"])
    else:
        why(visitor, row.get("reason"), row["address"], "bad" if hard or row.get("blocked") else "warn")
        if bad and row.get("contact") and visitor.may("write"):
            editor = _repair(visitor, row, after, following)
    person_link(visitor, row)
    facts(
        {
            t("E-mail address"): row["address"],
            t("Name"): row.get("name"),
            t("Company"): row.get("company"),
            t("Mailing"): row.get("mailing_name") or row.get("mailing"),
            t("Status"): reasons.word(texts, reasons.STATUSES, row.get("status")),
            t("Cause of the block"): cause_of(texts, row),
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
    if editor is not None:
        await editor.suggest()


def _repair(visitor: Visitor, row: Mapping[str, Any], after: After, following: Leave) -> AddressEditor:
    async def saved(_new: str, operation: str) -> None:
        Toast(visitor, operation, "correct_address", after, fresh=False)

    return AddressEditor(visitor, row["address"], row["contact"], saved, following=following)


def corrected(visitor: Visitor, new: str) -> None:
    """Say that an address has been corrected, and lead to what it became."""
    with Tag("div", "why calm"):
        Tag("strong", text=visitor.t("Corrected to {new}", new=new))
        Tag("p", text=visitor.t("Nobody has the old address any more; nothing is left to do."))
        link(visitor.t("Show the new address"), f"/addresses/{quote(new, safe='@')}")


def cause_of(texts: Texts, row: Mapping[str, Any]) -> str:
    """Return why a row is blocked; of a former employee that is the cause, whatever else there is."""
    former = row.get("former_employee") and row.get("blocked")
    return reasons.word(texts, reasons.CAUSES, "former_employee" if former else row.get("cause"))
