"""Persons: found by typing; one person with addresses, what ails them, and what happened."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from services.console.api_client import Trouble
from services.console.pages.detail import facts, message, why
from services.console.parts.address_editor import AddressEditor
from services.console.parts.markup import Tag, button, empty, icon, notice
from services.console.parts.shell import Pages, Visitor, heading, trail
from services.console.parts.source import Cells, Column, Found, Ungrouped
from services.console.parts.table import Table
from services.console.parts.timeline import timeline
from services.console.parts.view import View
from services.console.texts import marked as _, reasons


def add(pages: Pages) -> None:
    """Serve the pages."""
    pages.add("/contacts", _("Persons"), contacts)
    pages.add("/contacts/{contact:path}", _("Person"), contact)
    pages.add("/addresses/{address:path}", _("Address"), address)


class Contacts(Ungrouped):
    """All persons."""

    sort, descending, search, takes_all = "contact", False, _("Search"), False
    caption = _("Persons and their addresses")
    empty = ("people", _("No persons yet"), _("Import them from your CRM: a CSV file, or events; the manual says how."))
    columns: Sequence[Column] = (
        Column("name", _("Name"), sort=False),
        Column("company", _("Company"), sort=False),
        Column("address", _("E-mail address"), sort=False),
        Column("state", _("Status"), sort=False),
        Column("contact", _("Number"), sort=False, shown=False),
    )

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of persons."""
        asked = {"q": view.search or None, "after": mark or None, "limit": limit}
        found = await self._visitor.api.get("actions", "/v1/contacts", **asked)
        return Found(found["contacts"], found["next"])

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the person's id."""
        return str(row["contact"])

    def name(self, row: Mapping[str, Any]) -> str:
        """Return the person's name."""
        return str(row["name"] or row["contact"])

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a person."""
        texts, held = self._visitor.texts, row["addresses"]
        bad = next((one for one in held if one["blocked"]), None)
        shown = ", ".join(one["address"] for one in held)
        cell: dict[str, Any] = {"text": shown, "title": shown}
        if bad:
            cell["warning"] = reasons.sentence(texts, bad["reason"], bad["address"]) or texts.t(
                "This address is blocked."
            )
        state = {"text": texts.t("Former employee"), "tone": "calm"} if row["former_employee"] else None
        return {
            "name": {"text": row["name"] or row["contact"], "href": f"/contacts/{quote(row['contact'], safe='')}"},
            "company": {"text": row["company"] or ""},
            "address": cell,
            "state": {"text": texts.t("Address blocked"), "tone": "bad"} if bad else state,
            "contact": {"text": row["contact"]},
        }


async def contacts(visitor: Visitor) -> None:
    """The list of persons."""
    heading(visitor.t("Persons"), visitor.t("Who owns the addresses, as your CRM tells it."))
    await Table(visitor, Contacts(visitor)).begin()


async def contact(visitor: Visitor) -> None:
    """One person."""
    t, identity = visitor.t, visitor.parameters["contact"]
    trail((t("Persons"), "/contacts"))
    place = f"/v1/contacts/{quote(identity, safe='')}"
    known = await visitor.api.get("actions", place)
    head = heading(known["name"] or identity, known["company"] or "")
    if known["former_employee"]:
        with head:
            Tag("span", "badge calm", t("Former employee"))
    with Tag("div", "cards"):
        with Tag("section", "card half"):
            Tag("h2", text=t("Details"))
            await Addresses(visitor, known, place).show()
            held = ", ".join(str(one["name"] or one["id"]) for one in known.get("lists", []))
            facts(
                {t("Company"): known["company"], t("Number in your CRM"): identity, t("Selections and projects"): held}
            )
        with Tag("section", "card half"):
            Tag("h2", text=t("What happened"))
            timeline(visitor, known.get("history", []))


class Addresses:
    """The addresses of a person: a warning beside each bad one, and the way to mend it."""

    def __init__(self, visitor: Visitor, known: dict[str, Any], place: str) -> None:
        self._visitor, self._known, self._place = visitor, known, place
        self._box = Tag("div")

    async def show(self) -> None:
        """Draw them."""
        self._box.clear()
        with self._box:
            if not self._known["addresses"]:
                Tag("p", "quiet", self._visitor.t("This person has no e-mail address."))
            for one in self._known["addresses"]:
                self._row(one)

    def _row(self, one: Mapping[str, Any]) -> None:
        t, row = self._visitor.t, Tag("div", "address-row")
        with row:
            with Tag("div", "grow"):
                Tag("span", text=one["address"])
                if one["blocked"]:
                    Tag("span", "badge bad", t("Blocked"))
            if one["blocked"] or one.get("reason"):
                hint(self._visitor, one["reason"], one["address"], one.get("cause"))
            if self._visitor.may("write"):
                button(
                    t("Edit"),
                    partial(self._edit, row, one["address"]),
                    aria_label=t("Edit {address}", address=one["address"]),
                )

    def _edit(self, row: Tag, old: str) -> None:
        row.clear()
        with row:
            AddressEditor(self._visitor, old, self._save, self.show)

    async def _save(self, old: str, new: str) -> None:
        kept = [new if one["address"] == old else one["address"] for one in self._known["addresses"]]
        await self._visitor.api.call("actions", "PUT", self._place, body={"addresses": kept})
        self._known = await self._visitor.api.get("actions", self._place)
        await self.show()
        with self._box:
            notice("good", self._visitor.t("Saved. The new address starts clean."))


def hint(visitor: Visitor, reason: str | None, address: str, cause: str | None) -> None:
    """The warning icon: its cause and what to do, in plain words, when the pointer or the keyboard is on it."""
    texts = visitor.texts
    title = reasons.title(texts, reason) or reasons.word(texts, reasons.CAUSES, cause)
    sentence = reasons.sentence(texts, reason, address) or texts.t("This address is blocked.")
    with Tag("span", "hint"):
        with Tag("button", type="button", aria_label=f"{texts.t('Problem')}: {sentence}"):
            icon("warning")
        with Tag("div", "bubble", role="tooltip"):
            Tag("strong", text=title)
            Tag("p", text=sentence)
            Tag("p", "quiet", reasons.advice(texts, reason))


async def address(visitor: Visitor) -> None:
    """One address that belongs to nobody known: its standing, why, and its history."""
    t, texts, written = visitor.t, visitor.texts, visitor.parameters["address"]
    trail((t("Blocked addresses"), "/blocked"))
    known = await visitor.api.get("blocklist", f"/v1/addresses/{quote(written, safe='@')}")
    heading(known["address"], t("This address belongs to no person that your CRM has told of."))
    with Tag("div", "cards"):
        with Tag("section", "card half"):
            Tag("h2", text=t("Blocked") if known["blocked"] else t("Not blocked"))
            why(visitor, known["reason"], known["address"])
            facts(
                {
                    t("Cause of the block"): reasons.word(texts, reasons.CAUSES, known["cause"]),
                    t("Blocked since"): texts.full_time(known["since"]),
                    t("Number of returns"): texts.number(known["return_count"]),
                    t("Returns that are accepted"): texts.number(known["accepted_bounces"]),
                    t("Last delivered"): texts.full_time(known.get("last_delivered")),
                    t("Bounce-flag cleared"): texts.full_time(known.get("last_clear")),
                }
            )
            if visitor.may("write") and known["blocked"]:
                _clearing(visitor, known["address"])
        with Tag("section", "card half"):
            Tag("h2", text=t("What happened"))
            if not known["history"]:
                empty("list", t("Nothing yet"), t("Nothing was heard of this address."))
            timeline(visitor, [line | {"what": "bounced"} for line in known["history"]])
            for line in known["history"][:1]:
                message(visitor, line["text"])


def _clearing(visitor: Visitor, written: str) -> None:
    place = Tag("div")

    async def clear() -> None:
        place.clear()
        with place:
            try:
                await visitor.api.call("blocklist", "POST", "/v1/blocks/clear", body={"addresses": [written]})
            except Trouble as trouble:
                notice("bad", *visitor.trouble(trouble))
                return
            notice("good", visitor.t("The bounce-flag is cleared: the next mailing goes to this address again."))

    with place:
        button(visitor.t("Clear bounce-flag"), clear, "primary", picture="flag")
