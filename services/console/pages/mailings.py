"""Mailings, and the recipients of each with what became of them."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from services.console.parts.shell import Pages, Visitor, heading
from services.console.parts.table import Cells, Column, Found, Group, Table
from services.console.parts.view import View
from services.console.texts import marked as _

BAD_RATE, WARN_RATE = 0.05, 0.02


def add(pages: Pages) -> None:
    """Serve the pages."""
    pages.add("/mailings", _("Mailings"), mailings)


class Mailings:
    """All mailings."""

    caption = _("Mailings with what became of their recipients")
    sort, descending = "first_seen", True
    empty = ("mail", _("No mailings yet"), _("Mailings show up here as soon as a sender hands in its first results."))
    columns = (
        Column("mailing", _("Mailing"), sort=False),
        Column("first_seen", _("Begun")),
        Column("bar", _("Outcome"), sort=False),
        Column("sent", _("Sent"), "number", sort=False),
        Column("delivered", _("Delivered"), "number", sort=False),
        Column("hard", _("Hard returns"), "number", sort=False),
        Column("soft", _("Soft returns"), "number", sort=False),
        Column("opened", _("Opened"), "number", sort=False),
    )

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of mailings."""
        rows = await self._visitor.api.get("actions", "/v1/mailings", limit=limit, offset=int(mark or 0))
        return Found(rows, str(int(mark or 0) + limit) if len(rows) == limit else None)

    async def groups(self, view: View) -> Sequence[Group]:
        """There are none."""
        return []

    def identity(self, row: Mapping[str, Any]) -> str:
        """The mailing."""
        return str(row["mailing"])

    name = identity

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown."""
        texts, counts = self._visitor.texts, row["counts"]
        all_ = sum(counts.values()) or 1
        parts = {
            "opened": counts.get("opened", 0),
            "delivered": counts.get("delivered", 0),
            "soft": counts.get("soft_bounced", 0),
            "hard": counts.get("hard_bounced", 0),
        }
        return {
            "mailing": {"text": row["mailing"], "href": f"/mailings/{quote(row['mailing'], safe='')}"},
            "first_seen": {"text": texts.time(row["first_seen"]), "title": texts.full_time(row["first_seen"])},
            "bar": {"parts": [{"kind": k, "share": v / all_} for k, v in parts.items()], "title": "x"},
            **{k: {"text": texts.number(v)} for k, v in parts.items()},
            "sent": {"text": texts.number(all_)},
        }


async def mailings(visitor: Visitor) -> None:
    """Draw the list."""
    heading(visitor.t("Mailings"), visitor.t("What became of each mailing, and who did not get it."))
    table = Table(visitor, Mailings(visitor))
    await table.load()
