"""One address, whosoever it is: its standing and why, whose it is, what it was corrected to, and its history."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from services.console.api_client import Trouble
from services.console.components.dialogs.operation_dialog import OperationDialog
from services.console.components.markup import Tag, button, empty, link, notice
from services.console.components.shell import Pages, Visitor, heading, reload, trail
from services.console.components.timeline import timeline
from services.console.i18n import gettext_noop as _, operations as words, reasons
from services.console.pages.detail import code_of, corrected, facts, message, why


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/addresses/{address:path}", _("Address"), address)


async def address(visitor: Visitor) -> None:
    """Draw the page: history and owners come from the service that keeps them, the counts from the one that decides.

    Where the latter is away, the page says so and shows the rest.
    """
    t, place = visitor.t, quote(visitor.parameters["address"], safe="@")
    trail(visitor, (t("Blocked addresses"), "/blocked"))
    known: Any
    standing: Any
    known, standing = await asyncio.gather(
        visitor.api.get("actions", f"/v1/addresses/{place}"),
        visitor.api.get("blocklist", f"/v1/addresses/{place}"),
        return_exceptions=True,
    )
    if isinstance(known, BaseException):
        raise known
    if isinstance(standing, Trouble):
        notice("warn", *visitor.trouble(standing))
    elif isinstance(standing, BaseException):
        raise standing
    counted: Mapping[str, Any] = {} if isinstance(standing, BaseException) else standing
    heading(known["address"], "" if known["contacts"] else t("This address belongs to no person in your CRM."))
    with Tag("div", "cards"):
        with Tag("section", "card half"), Tag("div", "stack"):
            _standing(visitor, known, counted)
        with Tag("section", "card half"):
            Tag("h2", text=t("History"))
            if known["history"]:
                timeline(visitor, known["history"])
            else:
                empty("list", t("Nothing yet"), t("No events for this address."))


def _standing(visitor: Visitor, known: Mapping[str, Any], counted: Mapping[str, Any]) -> None:
    t, texts = visitor.t, visitor.texts
    blocked = counted.get("blocked", known["blocked"])
    former = known["contacts"] and all(one["former_employee"] for one in known["contacts"])
    cause = "former_employee" if former and blocked else counted.get("cause", known["cause"])
    Tag("h2", text=t("Blocked") if blocked else t("Not blocked"))
    if known["corrected_to"]:
        corrected(visitor, known["corrected_to"]["address"])
    elif blocked or known["status"] in ("hard_bounced", "soft_bounced"):
        reason = known["block_reason"] or known["reason"]
        why(visitor, reason, known["address"], "bad" if blocked else "warn")
    for one in known["contacts"]:
        with Tag("p"):
            link(one["name"] or one["contact"], f"/contacts/{quote(one['contact'], safe='')}")
            if one["former_employee"]:
                Tag("span", "badge calm", t("Former employee"))
    facts(
        {
            t("Cause of the block"): reasons.word(texts, reasons.CAUSES, cause) if blocked else None,
            t("Blocked since"): texts.full_time(counted.get("since") or known["blocked_since"]) if blocked else None,
            t("Number of bounces"): texts.number(counted["return_count"]) if counted else None,
            t("Accepted bounces"): texts.number(counted["accepted_bounces"]) if counted else None,
            t("Last bounce"): texts.full_time(known["returned_at"]),
            t("Code"): code_of({"code": known["reply_code"], "enhanced_status": known["enhanced_status"]}),
            t("Last delivered"): texts.full_time(known["last_delivered"]),
            t("Bounce-flag cleared"): texts.full_time(counted.get("last_clear")),
            t("Corrected from"): ", ".join(one["address"] for one in known["corrected_from"]),
        }
    )
    message(visitor, known["diagnostic"])
    if visitor.may("operate"):
        link(t("Follow its events"), f"/trace?{urlencode({'address': known['address']})}")
    if visitor.may("write") and not known["corrected_to"]:
        _button(visitor, known["address"], "clear_bounce_flag" if blocked else "block")


def _button(visitor: Visitor, written: str, operation: str) -> None:
    """The button that clears the bounce-flag of a blocked address, or blocks another."""
    place = Tag("div")

    async def anew() -> None:
        reload(visitor)

    async def begin() -> None:
        with place:
            await OperationDialog(visitor, operation, {"addresses": [written]}, anew).show()

    with place:
        button(visitor.t(words.NAMES[operation]), begin, picture=words.PICTURES[operation])
