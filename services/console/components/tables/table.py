"""The table that every page uses: rows come from a service page by page, and the browser gets one page at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from services.console.api_client import Trouble
from services.console.components.markup import Tag, empty, icon, notice, plain
from services.console.components.shell import Visitor
from services.console.components.tables.source import Found, Source, Total
from services.console.components.tables.view import View, from_query, to_query

PAGE = 100
GROUP_PAGE = 25


class _Sheet(Element, component="table.js"):
    """The table in the browser."""


Detail = Callable[[Mapping[str, Any]], Awaitable[None]]
Changed = Callable[[], Awaitable[None] | None]


class Table:
    """A table on a page, with its view, its ticks and its side panel; all of them of one visitor's page alone."""

    def __init__(
        self,
        visitor: Visitor,
        source: Source,
        *,
        detail: Detail | None = None,
        selectable: bool = False,
        also: Mapping[str, str] | None = None,
    ) -> None:
        self.visitor, self.source = visitor, source
        self.hidden = frozenset(column.name for column in source.columns if not column.shown)
        self.view = from_query(visitor.query, sort=source.sort, descending=source.descending, hidden=self.hidden)
        self.ticked: dict[str, Mapping[str, Any]] = {}
        self.everything = False
        self.total: Total | None = None
        self.listeners: list[Changed] = []
        """Who is told when view or ticks have changed."""
        self._counted: object = None
        self._also = dict(also or {})
        self._detail = detail
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._marks = ["", self.view.after] if self.view.after else [""]
        self._following: str | None = None
        self._open_groups: set[str] = set()
        self._drawn: Mapping[str, Any] | None = None
        """The row that the panel shows."""
        self._wanted = 0
        self._board = Tag("div", "board")
        with self._board:
            self._sheet = _Sheet()
            self._panel = Tag("aside", "panel", aria_label=visitor.t("Details"), tabindex="-1")
            self._panel.set_visibility(False)
            self._panel.on("keydown.escape", lambda: self._open(""))
        self._prepare(selectable)
        self.actions = self._sheet.add_slot("actions")
        self.quick = self._sheet.add_slot("quick")
        self.filters = self._sheet.add_slot("filters")
        self.narrowed = self._sheet.add_slot("narrowed")
        with self._sheet.add_slot("empty"):
            self._empty = Tag("div")

    def _prepare(self, selectable: bool) -> None:
        t = self.visitor.t
        columns = [
            {
                "name": c.name, "title": t(c.title), "kind": c.kind, "sort": c.sort, "group": c.group,
                "groupBy": t(c.group_title),
            }
            for c in self.source.columns
        ]  # fmt: skip
        self._sheet.props["columns"] = columns
        self._sheet.props["selectable"] = selectable
        self._sheet.props["caption"] = t(self.source.caption)
        search, help_ = (t(text) if text else "" for text in (self.source.search, self.source.search_help))
        self._sheet.props["words"] = words(self.visitor, search) | {"searchHelp": help_}
        self._sheet.props["user"] = self.visitor.name
        self._sheet.props["takesAll"] = self.source.takes_all
        start: dict[str, Any] = {"rows": [], "groups": None, "ticked": [], "everything": False, "busy": False}
        self._sheet.props.update(start)
        self._sheet.props["count"] = {"text": "", "total": 0, "back": False, "more": False, "everything": "", "all": ""}
        self._sheet.props["view"] = self._shown_view()
        self._sheet.on("wish", self._wish)
        self._sheet.on("tick", self._tick)
        self._sheet.on("show", self._show)
        self._sheet.on("group", self._toggle_group)

    async def begin(self) -> None:
        """Show the first of it."""
        await self.load()
        await self.tell()

    async def load(self) -> None:
        """Fetch what the view shows, and show it. What a service refuses is said in the table's place."""
        self._wanted += 1
        mine = self._wanted
        try:
            (groups, found), total = await asyncio.gather(self._fetch(), self._count_all())
        except Trouble as trouble:
            self._say(trouble)
            return
        if mine != self._wanted:  # the visitor has asked for something else meanwhile
            return
        self.total = total
        self._take(groups, found)
        if self.view.opened and self._rows.get(self.view.opened) != self._drawn:  # else somebody may be typing there
            await self._open(self.view.opened)

    async def change(self, view: View) -> None:
        """Show another view. Ticks belong to the rows that were found by the old one: they go with its filters."""
        if (view.filters, view.search) != (self.view.filters, self.view.search):
            self.untick()
            self._open_groups.clear()
        if view.after == "":
            self._marks = [""]
        self.view = view
        if not view.opened:
            self._drawn = None
            self._panel.set_visibility(False)
            self._board.classes(remove="opened")
        await self.load()
        await self.tell()

    def untick(self) -> None:
        """Tick nothing."""
        self.ticked, self.everything = {}, False
        self._sheet.props["ticked"] = []
        self._sheet.props["everything"] = False
        self._sheet.update()

    def _tick_all(self) -> None:
        """Tick all that match."""
        self.ticked, self.everything = dict(self._rows), True
        self._sheet.props["ticked"] = list(self.ticked)
        self._sheet.props["everything"] = True
        self._sheet.update()

    def follow(self, operation: str) -> None:
        """Write into the page's address which operation is followed, so that a reload follows it again."""
        self.view = replace(self.view, followed=operation)
        self._sheet.props["url"] = self._url()
        self._sheet.update()

    @property
    def how_many(self) -> int:
        """How many rows are ticked."""
        return max(self.total.count if self.total else 0, len(self.ticked)) if self.everything else len(self.ticked)

    async def _count_all(self) -> Total | None:
        """Return how many rows fit; they are not counted anew for another page of the same."""
        wanted = (self.view.filters, self.view.search)
        if self.total is None or self._counted != wanted or self._marks == [""]:
            self._counted = wanted
            return await self.source.total(self.view)
        return self.total

    async def _fetch(self) -> tuple[list[dict[str, Any]] | None, Found]:
        if not self.view.group:
            return None, await self.source.page(self.view, self._marks[-1], PAGE)
        made: list[dict[str, Any]] = []
        self._rows = {}
        told = await self.source.groups(self.view)
        self._sheet.props["hint"] = "" if told.exact else self.visitor.t("The counts are of the first rows only.")
        for group in told.groups:
            shown: dict[str, Any] = {"value": group.value, "title": group.title, "rows": None, "more": False}
            if group.value is not None and group.value in self._open_groups:
                inside = self.view.only(self.view.group, group.value).changed(group="")
                found = await self.source.page(inside, "", GROUP_PAGE)
                shown |= {"rows": [self._row(row) for row in found.rows], "more": bool(found.following)}
            made.append(shown | {"count": self.visitor.texts.number(group.count)})
        return made, Found([])

    def _take(self, groups: list[dict[str, Any]] | None, found: Found) -> None:
        props = self._sheet.props
        if groups is None:
            self._rows, props["hint"] = {}, ""
        self._following = found.following
        props["rows"] = [self._row(row) for row in found.rows]
        props["groups"] = groups
        props["count"] = self._count(found, groups)
        props["view"] = self._shown_view()
        props["url"] = self._url()
        props["busy"] = False
        self._show_empty()
        self._sheet.update()

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        identity = self.source.identity(row)
        self._rows[identity] = row
        cells = {
            name: cell and {key: plain(value) if isinstance(value, str) else value for key, value in cell.items()}
            for name, cell in self.source.cells(row).items()
        }
        return {"id": identity, "name": plain(self.source.name(row)), "cells": cells}

    def _count(self, found: Found, groups: list[dict[str, Any]] | None) -> dict[str, Any]:
        texts, first, t = self.visitor.texts, (len(self._marks) - 1) * PAGE + 1, self.visitor.t
        total = self.total
        all_ = ""
        if total is not None:
            all_ = texts.number(total.count) if total.exact else t("more than {n}", n=texts.number(total.count))
        if groups is not None:
            text = texts.tn("{n} group", "{n} groups", len(groups))
        elif not found.rows:
            text = ""
        else:
            text = f"{texts.number(first)}–{texts.number(first + len(found.rows) - 1)}"
            text = t("{span} of {total}", span=text, total=all_) if all_ else text
        return {
            "text": text, "total": total.count if total else len(found.rows),
            "back": groups is None and len(self._marks) > 1, "more": bool(found.following),
            "everything": t("Select all that match ({n})", n=all_),
            "all": t("All that match are selected ({n})", n=all_),
        }  # fmt: skip

    def _show_empty(self) -> None:
        self._empty.clear()
        t, picture_title = self.visitor.t, self.source.empty
        with self._empty:
            if self.view.search or self.view.filters:
                empty("search", t("No matches"), t("Nothing matches the search and the filters. Remove some of them."))
            else:
                empty(picture_title[0], t(picture_title[1]), t(picture_title[2]))

    def _say(self, trouble: Trouble) -> None:
        self._empty.clear()
        with self._empty:
            notice("warn", *self.visitor.trouble(trouble))
        self._sheet.props["rows"] = []
        self._sheet.props["groups"] = None
        self._sheet.update()

    def _shown_view(self) -> dict[str, Any]:
        view = self.view
        return {
            "sort": view.sort, "descending": view.descending, "group": view.group, "search": view.search,
            "hidden": sorted(view.hidden), "opened": view.opened,
        }  # fmt: skip

    def query(self) -> str:
        """Return the view as the page's address has it, without what is of the moment: page, panel, operation."""
        return self._query(self.view.changed())

    def _query(self, view: View) -> str:
        return to_query(
            view, sort=self.source.sort, descending=self.source.descending, hidden=self.hidden, also=self._also
        )

    def _url(self) -> str:
        query = self._query(self.view)
        return f"{self.visitor.path}?{query}" if query else self.visitor.path

    async def _wish(self, event: GenericEventArguments) -> None:
        wanted: dict[str, Any] = event.args
        view = self.view
        if "page" in wanted:
            await self._turn(int(wanted["page"]))
            return
        if "only" in wanted:
            view = view.only(view.group, str(wanted["only"])).changed(group="")
            if wanted.get("tick") and self.source.takes_all:
                await self.change(view)
                self._tick_all()
                await self.tell()
                return
        if "sort" in wanted and wanted["sort"] in {column.name for column in self.source.columns if column.sort}:
            view = view.changed(sort=wanted["sort"], descending=bool(wanted["descending"]))
        if "group" in wanted:
            groupable = {column.group for column in self.source.columns if column.group}
            view = view.changed(group=wanted["group"] if wanted["group"] in groupable else "")
            self._open_groups.clear()
        if "search" in wanted:
            view = view.changed(search=str(wanted["search"])[:200])
        if "hidden" in wanted:
            names = {column.name for column in self.source.columns}
            view = replace(view, hidden=frozenset(wanted["hidden"]) & names)
        await self.change(view)

    async def _turn(self, step: int) -> None:
        if step > 0 and self._following:
            self._marks.append(self._following)
        elif step < 0 and len(self._marks) > 1:
            self._marks.pop()
        self.view = replace(self.view, after=self._marks[-1], opened="")
        await self.load()

    async def _tick(self, event: GenericEventArguments) -> None:
        known = self.ticked | self._rows
        self.ticked = {identity: known[identity] for identity in event.args["ids"] if identity in known}
        self.everything = bool(event.args["everything"]) and self.source.takes_all
        self._sheet.props["everything"] = self.everything
        self._sheet.props["ticked"] = list(self.ticked)
        self._sheet.update()
        await self.tell()

    async def _toggle_group(self, event: GenericEventArguments) -> None:
        self._open_groups ^= {str(event.args)}
        await self.load()

    async def _show(self, event: GenericEventArguments) -> None:
        await self._open(str(event.args))

    async def anew(self) -> None:
        """Show the same view of what there is now."""
        await self.load()
        await self.tell()

    async def open_next(self) -> None:
        """Open the row below the one that is open; there is none: close it."""
        shown = list(self._rows)
        place = shown.index(self.view.opened) + 1 if self.view.opened in shown else len(shown)
        await self._open(shown[place] if place < len(shown) else "")

    async def _open(self, identity: str) -> None:
        self._drawn = row = self._rows.get(identity)
        there = self._detail is not None and row is not None
        self._board.classes(**({"add": "opened"} if there else {"remove": "opened"}))
        self._panel.set_visibility(there)
        self.view = replace(self.view, opened=identity if row else "")
        self._sheet.props["view"] = self._shown_view()
        self._sheet.props["url"] = self._url()
        self._sheet.update()
        if self._detail is None or row is None:
            return
        self._panel.clear()
        with self._panel:
            with Tag("div", "panel-head"):
                Tag("h2", text=self.source.name(row))
                with Tag("button", "button plain", type="button", aria_label=self.visitor.t("Close")) as shut:
                    icon("close")
                shut.on("click", lambda: self._open(""))
            with Tag("div", "panel-body"), self.visitor.guarding():
                await self._detail(row)

    async def tell(self) -> None:
        """Tell who wants to know that view or ticks have changed."""
        for listener in self.listeners:
            waiting = listener()
            if waiting is not None:
                await waiting


def words(visitor: Visitor, search: str) -> dict[str, str]:
    """Return what the table says in the browser."""
    t = visitor.t
    return {
        "search": search, "columns": t("Columns"), "ungroup": t("Remove grouping"), "ascending": t("Sort ascending"),
        "descending": t("Sort descending"), "hide": t("Hide this column"), "sortBy": t("Order"),
        "columnMenu": t("{column}: sort, group, hide", column="{column}"), "tick": t("Select"),
        "tickPage": t("Select all on this page"), "ticked": t("{n} selected", n="{n}"), "none": t("Clear selection"),
        "pages": t("Pages of the table"), "next": t("Next page"),
        "previous": t("Previous page"), "wholeGroup": t("Show the whole group"),
        "tickGroup": t("Select the group"), "compact": t("Compact rows"), "wider": t("Wider"),
        "narrower": t("Narrower"),
    }  # fmt: skip
