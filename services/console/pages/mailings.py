"""Mailings, and the recipients of each with what became of them."""

import asyncio
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from services.console.components.markup import Tag, link
from services.console.components.shell import Pages, Visitor, heading, trail
from services.console.components.tables.filters import Filters, Narrowing
from services.console.components.tables.saved_views import SavedViews
from services.console.components.tables.source import Cells, Column, Found, Group, Groups, Ungrouped
from services.console.components.tables.table import Table
from services.console.components.tables.view import View
from services.console.i18n import gettext_noop as _
from services.console.pages import stop_signals, table_page
from services.console.pages.rows import BOUNCES, RECIPIENTS, SHOWN, Rows

BAD_RATE, WARN_RATE = 0.05, 0.02
"""Shares of returns at which mailbox providers act: SES reviews at 5%, healthy lists stay under 2%."""
PARTS = {
    "opened": _("opened"),
    "delivered": _("delivered"),
    "soft": _("soft bounces"),
    "hard": _("hard bounces"),
}
"""What the bar is made of; delivered are without those who opened."""
MOST_SORTED = 500
ORDERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "mailing": lambda row: str(row["name"] or row["mailing"]).casefold(),
    "at": itemgetter("at"),
    **{name: itemgetter(name) for name in ("sent", "delivered", "hard", "soft", "opened")},
    "rate": lambda row: (row["hard"] + row["soft"]) / max(row["sent"], 1),
    "change": lambda row: -(row["success_change"] or 0),
}


def add(pages: Pages) -> None:
    """Serve the pages."""
    pages.add("/mailings", _("Mailings"), mailings)
    pages.add("/mailings/{mailing:path}", _("Mailing"), mailing)


class Mailings(Ungrouped):
    """All mailings."""

    caption = _("Mailings with the status of their recipients")
    sort, descending, search, takes_all = "at", True, _("Name, subject or number"), False
    empty = ("mail", _("No mailings yet"), _("A mailing shows up here as soon as its first results are handed in."))
    columns: Sequence[Column] = (
        Column("mailing", _("Mailing")),
        Column("at", _("Time sent"), group="month", group_title=_("Group by month")),
        Column("bar", _("Outcome"), sort=False),
        Column("sent", _("Sent"), "number"),
        Column("delivered", _("Delivered"), "number"),
        Column("hard", _("Hard bounces"), "number"),
        Column("soft", _("Soft bounces"), "number"),
        Column("opened", _("Opened"), "number"),
        Column("rate", _("Bounce rate"), "number"),
        Column("change", _("Change"), "number", shown=False),
    )

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of mailings, as they were last counted; in another order than by time, of the newest alone."""
        if (view.sort, view.descending) == (self.sort, self.descending):
            found = await self._get(view, limit=limit, cursor=mark or None)
            return Found(found["items"], found["next_cursor"])
        found = await self._get(view, limit=MOST_SORTED)
        first = int(mark or 0)
        rows = sorted(found["items"], key=ORDERS.get(view.sort, ORDERS["at"]), reverse=view.descending)
        return Found(rows[first : first + limit], str(first + limit) if len(rows) > first + limit else None)

    async def groups(self, view: View) -> Groups:
        """Return the months in which mailings were sent, the last one first; of the newest mailings alone."""
        found = await self._get(view, limit=MOST_SORTED)
        months = Counter(row["at"][:7] for row in found["items"])
        made = [Group(month, self.describe("month", month), count) for month, count in sorted(months.items())[::-1]]
        return Groups(made, found["next_cursor"] is None)

    async def _get(self, view: View, **parameters: Any) -> Any:
        asked = {name: next(iter(view.chosen(name)), None) for name in ("first", "last")}
        if month := next(iter(view.chosen("month")), None):
            asked = dict(zip(("first", "last"), days_of(month), strict=True))
        path = "/v1/statistics/mailings"
        return await self._visitor.api.get("actions", path, q=view.search or None, **asked, **parameters)

    def describe(self, name: str, value: str) -> str:
        """Say what a filter narrows to."""
        texts, t = self._visitor.texts, self._visitor.t
        if name == "month":
            return texts.month(value)
        return t("From {day}", day=texts.day(value)) if name == "first" else t("Up to {day}", day=texts.day(value))

    def narrowings(self) -> list[Narrowing]:
        """Return what the filter menu offers."""
        return [
            Narrowing("first", _("From this day on"), "date"),
            Narrowing("last", _("Up to this day"), "date"),
        ]

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the mailing."""
        return str(row["mailing"])

    name = identity

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a mailing."""
        texts, sent = self._visitor.texts, row["sent"]
        returned = (row["hard"] + row["soft"]) / max(sent, 1)
        kinds = dict(row) | {"delivered": max(0, row["delivered"] - row["opened"])}
        shown = [f"{texts.number(row[name])} {texts.t(title)}" for name, title in PARTS.items()]
        bar = [{"kind": name, "share": kinds[name] / max(sent, 1)} for name in PARTS]
        change = row["success_change"]
        return {
            "mailing": {
                "text": row["name"] or row["mailing"],
                "href": f"/mailings/{quote(row['mailing'], safe='')}",
                "sub": row["subject"],
            },
            "at": {"text": texts.time(row["at"]), "title": texts.full_time(row["at"])},
            "bar": {"parts": bar, "title": ", ".join(shown)},
            "rate": {"text": texts.percent(returned) if sent else "", "rate": tone(returned)},
            "change": {"text": "" if change is None else texts.change(-change)},
            **{name: {"text": texts.number(row[name])} for name in ("sent", "delivered", "hard", "soft", "opened")},
        }


def days_of(month: str) -> tuple[str | None, str | None]:
    """Return the first and the last day of a month (`2026-11`), nothing for what is none."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return None, None
    return first.isoformat(), first.replace(day=monthrange(first.year, first.month)[1]).isoformat()


def tone(rate: float) -> str:
    """Return how a share of returns looks."""
    return "bad" if rate >= BAD_RATE else "warn" if rate >= WARN_RATE else "fine"


async def mailings(visitor: Visitor) -> None:
    """The list of mailings."""
    heading(visitor.t("Mailings"), visitor.t("How each mailing did, and whom it did not reach."))
    source = Mailings(visitor)
    table = Table(visitor, source)
    Filters(visitor, table, source.describe, source.narrowings())
    views = SavedViews(visitor, table)
    await asyncio.gather(table.begin(), views.show())


async def mailing(visitor: Visitor) -> None:
    """One mailing: its recipients, and a tab for what was returned."""
    identity = visitor.parameters["mailing"]
    place = f"/mailings/{quote(identity, safe='')}"
    bounces = visitor.query.get("tab") == "bounces"
    trail(visitor, (visitor.t("Mailings"), "/mailings"))
    known = await visitor.api.get("actions", f"/v1{place}")
    heading(
        known["name"] or identity,
        visitor.t("Filter the list, select addresses, then choose an action below the table."),
    )
    with Tag("div"), visitor.guarding():
        stop_signals.show(visitor, place, await visitor.api.get("actions", f"/v1{place}/stop-signals"))
    with Tag("nav", "tabs", aria_label=visitor.t("Parts of this page")):
        link(visitor.t("Recipients"), place, aria_current=None if bounces else "page")
        link(visitor.t("Manage bounces"), f"{place}?tab=bounces", aria_current="page" if bounces else None)
    source = Rows(visitor, BOUNCES if bounces else RECIPIENTS, identity)
    also = {"tab": "bounces"} if bounces else {}
    await table_page.show(visitor, source, also, () if bounces else tuple(SHOWN.items()))
