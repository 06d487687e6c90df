"""Persons: found by typing; one person with addresses, what ails them, and what happened."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from services.console.components.address_editor import AddressEditor
from services.console.components.dialogs.import_dialog import PeopleDialog
from services.console.components.dialogs.operation_dialog import OperationDialog
from services.console.components.markup import Tag, button, icon
from services.console.components.progress import Toast
from services.console.components.shell import Pages, Visitor, heading, reload, trail
from services.console.components.tables.actions_menu import ActionsMenu
from services.console.components.tables.filters import Filters, Narrowing
from services.console.components.tables.saved_views import SavedViews
from services.console.components.tables.source import Cells, Column, Found, Group, Groups, Total, Ungrouped
from services.console.components.tables.table import Table
from services.console.components.tables.view import View
from services.console.components.timeline import timeline
from services.console.i18n import gettext_noop as _, operations as words, reasons
from services.console.pages.detail import facts
from services.console.pages.rows import SEARCH_HELP, in_order

LEFT = {"true": _("Former employee"), "false": _("Not a former employee")}


def add(pages: Pages) -> None:
    """Serve the pages."""
    pages.add("/contacts", _("People"), contacts)
    pages.add("/contacts/{contact:path}", _("Person"), contact)


class Contacts(Ungrouped):
    """All persons."""

    search_help = SEARCH_HELP

    sort, descending, search, takes_all = "name", False, _("Name, company or address"), False
    caption = _("People and their addresses")
    empty = (
        "people",
        _("No people yet"),
        _("Import them from your CRM: a CSV file here, or events; the manual says how."),
    )
    columns: Sequence[Column] = (
        Column("name", _("Name")),
        Column("company", _("Company"), group="company"),
        Column("address", _("E-mail address"), sort=False),
        Column("state", _("Status"), sort=False),
        Column("contact", _("Number"), shown=False),
    )

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of persons."""
        sort = view.sort if view.sort in {column.name for column in self.columns if column.sort} else self.sort
        asked = self._asked(view) | {
            "sort": sort,
            "descending": view.descending,
            "limit": limit,
            "cursor": mark or None,
        }
        found = await self._visitor.api.get("actions", "/v1/contacts", **asked)
        return Found(found["items"], found["next_cursor"])

    async def total(self, view: View) -> Total | None:
        """Return how many persons fit."""
        told = await self._visitor.api.get("actions", "/v1/count/contacts", **self._asked(view))
        return Total(told["count"], told["exact"])

    def _asked(self, view: View) -> dict[str, Any]:
        left = next((value for value in view.chosen("former_employee") if value in LEFT), None)
        company = next(iter(view.chosen("company")), None)
        return {"q": view.search or None, "former_employee": left, "company": company}

    async def groups(self, view: View) -> Groups:
        """Return the companies, by name, with how many persons each has."""
        told = await self._visitor.api.get("actions", "/v1/groups/contacts", **self._asked(view))
        none = self._visitor.t("No company")
        made = [Group(one["value"], one["name"] or none, one["count"]) for one in told["groups"]]
        return Groups(in_order("company", made), told["exact"])

    def describe(self, name: str, value: str) -> str:
        """Say what a filter narrows to."""
        return self._visitor.t(LEFT[value]) if name == "former_employee" and value in LEFT else value

    def narrowings(self) -> list[Narrowing]:
        """Return what the filter menu offers."""
        t = self._visitor.t
        return [
            Narrowing("former_employee", _("Employment"), choices={v: t(w) for v, w in LEFT.items()}),
            Narrowing("company", _("Company"), "text"),
        ]

    def chosen(self, table: Table) -> dict[str, Any]:
        """Return what is ticked, as operations want it: the addresses of those persons."""
        return {"addresses": [one["address"] for row in table.ticked.values() for one in row["addresses"]]}

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
        state = {"text": texts.t("Address blocked"), "tone": "bad"} if bad else None
        if row["former_employee"]:  # who has left is blocked by that
            state = {"text": texts.t("Former employee"), "tone": "calm"}
        return {
            "name": {"text": row["name"] or row["contact"], "href": f"/contacts/{quote(row['contact'], safe='')}"},
            "company": {"text": row["company"] or ""},
            "address": cell,
            "state": state,
            "contact": {"text": row["contact"]},
        }


async def contacts(visitor: Visitor) -> None:
    """The list of persons."""
    head = heading(visitor.t("People"), visitor.t("Who owns the addresses, as your CRM tells it."))
    source = Contacts(visitor)
    table = Table(visitor, source, selectable=visitor.may("write"))
    Filters(visitor, table, source.describe, source.narrowings())
    views, menu = SavedViews(visitor, table), ActionsMenu(visitor, table, source.chosen)
    if visitor.may("write"):
        dialogs = Tag("div")

        def import_() -> None:
            with dialogs:
                PeopleDialog(visitor, table.anew)

        with head:
            button(visitor.t("Import people"), import_)
    await asyncio.gather(table.begin(), views.show())
    await menu.resume()


async def contact(visitor: Visitor) -> None:
    """One person."""
    t, identity = visitor.t, visitor.parameters["contact"]
    trail(visitor, (t("People"), "/contacts"))
    place = f"/v1/contacts/{quote(identity, safe='')}"
    known = await visitor.api.get("actions", place)
    head = heading(known["name"] or identity, known["company"] or "")
    with head:
        if known["former_employee"]:
            Tag("span", "badge calm", t("Former employee"))
        if visitor.may("write") and known["addresses"]:
            _leaving(visitor, known)
    with Tag("div", "cards"):
        with Tag("section", "card half"):
            Tag("h2", text=t("Details"))
            await Addresses(visitor, known, place).show()
            held = ", ".join(str(one["name"] or one["id"]) for one in known.get("lists", []))
            facts({t("Company"): known["company"], t("CRM ID"): identity, t("Selections and projects"): held})
        with Tag("section", "card half"):
            Tag("h2", text=t("History"))
            timeline(visitor, known.get("history", []))


def _leaving(visitor: Visitor, known: Mapping[str, Any]) -> None:
    """The button that sets the person as former employee, or back."""
    operation = "set_back_former_employee" if known["former_employee"] else "set_former_employee"
    chosen = {"addresses": [one["address"] for one in known["addresses"]]}
    place = Tag("div")

    async def anew() -> None:
        reload(visitor)

    async def begin() -> None:
        with place:
            await OperationDialog(visitor, operation, chosen, anew).show()

    with place:
        button(visitor.t(words.NAMES[operation]), begin, picture=words.PICTURES[operation])


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
            AddressEditor(self._visitor, old, self._known["contact"], self._saved, leave=self.show)

    async def _saved(self, _new: str, operation: str) -> None:
        await self._anew()
        Toast(self._visitor, operation, "correct_address", self._anew, fresh=False)

    async def _anew(self) -> None:
        self._known = await self._visitor.api.get("actions", self._place)
        await self.show()


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
