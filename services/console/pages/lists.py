"""Selections and projects: all of them, and each with its members, which are removed, renamed, merged and deleted."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from nicegui import ui

from services.console.api_client import Trouble
from services.console.components.dialogs.dialog import Dialog
from services.console.components.dialogs.operation_dialog import list_facts
from services.console.components.field import Field
from services.console.components.markup import Tag, button, link, notice
from services.console.components.shell import Pages, Visitor, heading, reload, trail
from services.console.components.tables.source import Cells, Column, Found, Ungrouped
from services.console.components.tables.table import Table
from services.console.components.tables.view import View
from services.console.i18n import gettext_noop as _

KINDS = {"selections": _("Selections"), "projects": _("Projects")}
MERGE_PAGE = 1_000
MOST_FOUND = 8


def add(pages: Pages) -> None:
    """Serve the pages."""
    for kind, title in KINDS.items():
        pages.add(f"/{kind}", title, partial(lists, kind=kind))
        pages.add(f"/{kind}/{{identity:path}}", title, partial(one, kind=kind))


class Lists(Ungrouped):
    """All selections, or all projects."""

    sort, descending, search, takes_all = "name", False, _("Name"), False
    columns: Sequence[Column] = (
        Column("name", _("Name"), sort=False),
        Column("size", _("Members"), "number", sort=False),
        Column("made_at", _("Created"), sort=False),
    )

    def __init__(self, visitor: Visitor, kind: str) -> None:
        self._visitor, self._kind = visitor, kind
        self.caption = KINDS[kind]
        self.empty = (
            "list",
            _("No selections yet") if kind == "selections" else _("No projects yet"),
            _("Select addresses under Mailings or Blocked addresses, then add them to a new one."),
        )

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of them by name."""
        asked = {"q": view.search or None, "cursor": mark or None, "limit": limit}
        found = await self._visitor.api.get("actions", f"/v1/{self._kind}", **asked)
        return Found(found["items"], found["next_cursor"])

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the id."""
        return str(row["id"])

    def name(self, row: Mapping[str, Any]) -> str:
        """Return the name."""
        return str(row["name"] or row["id"])

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of one."""
        texts = self._visitor.texts
        return {
            "name": {"text": self.name(row), "href": f"/{self._kind}/{quote(row['id'], safe='')}"},
            "size": {"text": texts.number(row["size"] or 0)},
            "made_at": {"text": texts.time(row["made_at"]), "title": texts.full_time(row["made_at"])},
        }


class Members(Ungrouped):
    """The members of one."""

    sort, descending, search, takes_all, caption = "contact", False, "", False, _("Members")
    empty = ("people", _("No members"), _("Add people under Mailings, Blocked addresses or People."))
    columns: Sequence[Column] = (
        Column("name", _("Name"), sort=False),
        Column("company", _("Company"), sort=False),
        Column("since", _("Member since"), sort=False),
        Column("contact", _("CRM ID"), sort=False, shown=False),
    )

    def __init__(self, visitor: Visitor, place: str) -> None:
        self._visitor, self._place = visitor, place

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of members."""
        asked: dict[str, Any] = {"former_employees": True, "cursor": mark or None, "limit": limit}
        found = await self._visitor.api.get("actions", f"{self._place}/members", **asked)
        return Found(found["items"], found["next_cursor"])

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the person's id."""
        return str(row["contact"])

    def name(self, row: Mapping[str, Any]) -> str:
        """Return the person's name."""
        return str(row["name"] or row["contact"])

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a member."""
        texts = self._visitor.texts
        name: dict[str, Any] = {"text": self.name(row), "href": f"/contacts/{quote(row['contact'], safe='')}"}
        if row["former_employee"]:
            name["sub"] = texts.t("Former employee")
        return {
            "name": name,
            "company": {"text": row["company"] or ""},
            "since": {"text": texts.time(row["since"]), "title": texts.full_time(row["since"])},
            "contact": {"text": row["contact"]},
        }


async def lists(visitor: Visitor, *, kind: str) -> None:
    """The list of selections, or of projects."""
    t = visitor.t
    heading(t("Selections and projects"), t("People that you have gathered for a mailing or a piece of work."))
    with Tag("nav", "tabs", aria_label=t("Parts of this page")):
        for name, title in KINDS.items():
            link(t(title), f"/{name}", aria_current="page" if name == kind else None)
    await Table(visitor, Lists(visitor, kind)).begin()


async def one(visitor: Visitor, *, kind: str) -> None:
    """One selection or project."""
    t, identity = visitor.t, visitor.parameters["identity"]
    trail(visitor, (t(KINDS[kind]), f"/{kind}"))
    place = f"/v1/{kind}/{quote(identity, safe='')}"
    known = await visitor.api.get("actions", place)
    members = visitor.texts.tn("{n} person", "{n} people", known["size"])
    made = t("created {when}", when=visitor.texts.time(known["made_at"]))
    head = heading(known["name"] or identity, f"{members}, {made}")
    table = Table(visitor, Members(visitor, place), selectable=visitor.may("write"))
    if visitor.may("write"):
        page = _Page(visitor, kind, known, place, table)
        with head, Tag("div", "row"):
            page.buttons()
        with table.quick:
            button(t("Remove from the list"), page.remove, "small-button", "close")
    await table.begin()


class _Page:
    """What is done to one selection or project."""

    def __init__(self, visitor: Visitor, kind: str, known: dict[str, Any], place: str, table: Table) -> None:
        self._visitor, self._kind, self._known, self._place, self._table = visitor, kind, known, place, table
        self._dialogs = Tag("div")

    def buttons(self) -> None:
        """Draw them."""
        t = self._visitor.t
        button(t("Rename"), self._rename)
        button(t("Merge into another"), self._merge)
        button(t("Delete"), self._delete, "plain", "trash")

    async def remove(self) -> None:
        """Remove the members that are selected."""
        body = {"remove": list(self._table.ticked)}
        with self._dialogs, self._visitor.guarding():
            await self._visitor.api.call("actions", "PUT", self._place, body=body)
            self._table.untick()
            await self._table.anew()

    def _rename(self) -> None:
        t = self._visitor.t
        with self._dialogs:
            dialog = Dialog(self._visitor, t("Rename"))
        with dialog.body:
            field = Field(t("Name"), value=self._known["name"] or "", autofocus=True, maxlength=200)

        async def save() -> None:
            name = str(field.value).strip()
            if not name:
                field.wrong(t("Give it a name."))
                return
            with dialog.body:
                try:
                    await self._visitor.api.call("actions", "PUT", self._place, body={"name": name})
                except Trouble as trouble:
                    notice("bad", *self._visitor.trouble(trouble))
                    return
            reload(self._visitor)

        with dialog.foot:
            dialog.cancel_button()
            button(t("OK"), save, "primary")

    def _delete(self) -> None:
        t = self._visitor.t
        with self._dialogs:
            dialog = Dialog(self._visitor, t("Delete"))
        with dialog.body:
            Tag("p", text=t("The list is deleted; the people in it stay."))

        async def delete() -> None:
            with dialog.body:
                try:
                    await self._visitor.api.call("actions", "DELETE", self._place)
                except Trouble as trouble:
                    notice("bad", *self._visitor.trouble(trouble))
                    return
            ui.navigate.to(f"/{self._kind}")

        with dialog.foot:
            dialog.cancel_button()
            button(t("Delete"), delete, "danger")

    async def _merge(self) -> None:
        t, chosen = self._visitor.t, {"id": ""}
        names: dict[str, str] = {}
        with self._dialogs:
            dialog = Dialog(self._visitor, t("Merge into another"))

        async def find(text: str) -> None:
            with dialog.body, self._visitor.guarding():
                q = text.strip()
                found = await self._visitor.api.get("actions", f"/v1/{self._kind}", q=q, limit=MOST_FOUND + 1)
                if field.value != text:  # typed on, or picked one, meanwhile
                    return
                rows = [row for row in found["items"] if row["id"] != self._known["id"]][:MOST_FOUND]
                names.update({row["id"]: row["name"] or row["id"] for row in rows})
                field.offer([(row["id"], names[row["id"]], list_facts(self._visitor, row)) for row in rows])

        def picked(identity: str) -> None:
            chosen["id"] = identity
            field.put(names.get(identity, identity))
            field.offer([])

        async def merge() -> None:
            if not chosen["id"]:
                field.wrong(t("Choose one of those that were found."))
                return
            with dialog.body:
                try:
                    await self._move(chosen["id"])
                except Trouble as trouble:
                    notice("bad", *self._visitor.trouble(trouble))
                    return
            ui.navigate.to(f"/{self._kind}/{quote(chosen['id'], safe='')}")

        with dialog.body:
            Tag("p", "quiet", t("Its members are added to the other one, and this one is deleted."))
            field = Field(t("Name"), on_typed=find, autofocus=True).finds(picked)
        with dialog.foot:
            dialog.cancel_button()
            button(t("OK"), merge, "primary")
        await find("")

    async def _move(self, other: str) -> None:
        """Add all members to another, then delete this one: an error in between leaves both with all members."""
        api, mark = self._visitor.api, None
        target = f"/v1/{self._kind}/{quote(other, safe='')}"
        while True:
            asked: dict[str, Any] = {"former_employees": True, "cursor": mark, "limit": MERGE_PAGE}
            found = await api.get("actions", f"{self._place}/members", **asked)
            members = [row["contact"] for row in found["items"]]
            if members:
                await api.call("actions", "PUT", target, body={"add": members})
            mark = found["next_cursor"]
            if mark is None:
                break
        await api.call("actions", "DELETE", self._place)
