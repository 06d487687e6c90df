"""Mailings, and the recipients of each with what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from services.console.pages import board
from services.console.pages.rows import BOUNCES, RECIPIENTS, SHOWN, Rows
from services.console.parts.markup import Tag, link
from services.console.parts.shell import Pages, Visitor, heading, trail
from services.console.parts.source import Cells, Column, Found, Ungrouped
from services.console.parts.table import Table
from services.console.parts.view import View
from services.console.texts import marked as _

BAD_RATE, WARN_RATE = 0.05, 0.02
"""Shares of returns at which mailbox providers act: SES reviews at 5%, healthy lists stay under 2%."""
PARTS = (
    ("opened", "opened", _("opened")),
    ("delivered", "delivered", _("delivered")),
    ("soft_bounced", "soft", _("soft returns")),
    ("hard_bounced", "hard", _("hard returns")),
)


def add(pages: Pages) -> None:
    """Serve the pages."""
    pages.add("/mailings", _("Mailings"), mailings)
    pages.add("/mailings/{mailing:path}", _("Mailing"), mailing)


class Mailings(Ungrouped):
    """All mailings."""

    caption = _("Mailings with what became of their recipients")
    sort, descending, search, takes_all = "first_seen", True, "", False
    empty = ("mail", _("No mailings yet"), _("A mailing shows up here as soon as its first results are handed in."))
    columns: Sequence[Column] = (
        Column("mailing", _("Mailing"), sort=False),
        Column("first_seen", _("Begun"), sort=False),
        Column("bar", _("Outcome"), sort=False),
        Column("recipients", _("Sent"), "number", sort=False),
        Column("reached", _("Delivered"), "number", sort=False),
        Column("hard_bounced", _("Hard returns"), "number", sort=False),
        Column("soft_bounced", _("Soft returns"), "number", sort=False),
        Column("opened", _("Opened"), "number", sort=False),
        Column("rate", _("Return rate"), "number", sort=False),
    )

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of mailings."""
        rows = await self._visitor.api.get("actions", "/v1/mailings", limit=limit, offset=int(mark or 0))
        return Found(rows, str(int(mark or 0) + limit) if len(rows) == limit else None)

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the mailing."""
        return str(row["mailing"])

    name = identity

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a mailing."""
        texts, counts = self._visitor.texts, row["counts"]
        sent = sum(counts.values()) - counts.get("ready", 0) - counts.get("blocked", 0)
        returned = counts.get("hard_bounced", 0) + counts.get("soft_bounced", 0)
        reached = sum(counts.get(kind, 0) for kind in ("delivered", "opened", "complained"))
        shown = [f"{texts.number(counts.get(kind, 0))} {texts.t(title)}" for kind, _kind, title in PARTS]
        bar = [{"kind": kind, "share": counts.get(name, 0) / max(sent, 1)} for name, kind, _title in PARTS]
        rate = returned / max(sent, 1)
        numbers = {"recipients": sent, "reached": reached}
        numbers |= {name: counts.get(name, 0) for name in ("hard_bounced", "soft_bounced", "opened")}
        return {
            "mailing": {
                "text": row.get("name") or row["mailing"],
                "href": f"/mailings/{quote(row['mailing'], safe='')}",
            },
            "first_seen": {"text": texts.time(row["first_seen"]), "title": texts.full_time(row["first_seen"])},
            "bar": {"parts": bar, "title": ", ".join(shown)},
            "rate": {"text": texts.percent(rate), "rate": tone(rate)},
            **{name: {"text": texts.number(count)} for name, count in numbers.items()},
        }


def tone(rate: float) -> str:
    """Return how a share of returns looks."""
    return "bad" if rate >= BAD_RATE else "warn" if rate >= WARN_RATE else "fine"


async def mailings(visitor: Visitor) -> None:
    """The list of mailings."""
    heading(visitor.t("Mailings"), visitor.t("What became of each mailing, and whom it did not reach."))
    await Table(visitor, Mailings(visitor)).begin()


async def mailing(visitor: Visitor) -> None:
    """One mailing: its recipients, and a tab for what was returned."""
    name = visitor.parameters["mailing"]
    bounces = visitor.query.get("tab") == "bounces"
    trail((visitor.t("Mailings"), "/mailings"))
    heading(name, visitor.t("Choose whom to see, tick, then choose what to do below the table."))
    place = f"/mailings/{quote(name, safe='')}"
    with Tag("nav", "tabs", aria_label=visitor.t("Parts of this page")):
        link(visitor.t("Recipients"), place, aria_current=None if bounces else "page")
        link(visitor.t("Manage bounces"), f"{place}?tab=bounces", aria_current="page" if bounces else None)
    source = Rows(visitor, BOUNCES if bounces else RECIPIENTS, name)
    also = {"tab": "bounces"} if bounces else {}
    await board.show(visitor, source, also, () if bounces else tuple(SHOWN.items()))
