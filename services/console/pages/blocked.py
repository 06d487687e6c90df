"""All blocked addresses over all mailings: the archive from which addresses are cleaned; spam complaints beside it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.console.pages.detail import detail, reason_cell
from services.console.parts.actions_menu import actions_menu
from services.console.parts.markup import Tag, link
from services.console.parts.shell import Pages, Visitor, heading
from services.console.parts.table import Cells, Column, Found, Group, Table
from services.console.parts.view import View
from services.console.texts import marked as _, reasons


def add(pages: Pages) -> None:
    """Serve the page."""
    pages.add("/blocked", _("Blocked addresses"), blocked)


class Blocked:
    """Blocked addresses."""

    sort, descending, search, takes_all = "since", True, _("Receiving domain"), False
    caption = _("Blocked addresses")
    empty = ("ok", _("No address is blocked"), _("Addresses that cannot be reached show up here by themselves."))
    columns: Sequence[Column] = (
        Column("address", _("E-mail address"), sort=False),
        Column("cause", _("Cause"), sort=False, group=True),
        Column("reason", _("Reason"), sort=False, group=True),
        Column("return_count", _("Returns"), "number", sort=False),
        Column("since", _("Blocked since"), sort=False),
        Column("mailing", _("Mailing"), sort=False, shown=False),
    )

    def __init__(self, visitor: Visitor, *, complaints: bool) -> None:
        self._visitor, self._complaints = visitor, complaints
        if complaints:
            self.empty = ("ok", _("No spam complaints"), _("Nobody has reported a mailing of yours as spam."))

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return a page of blocks, newest first."""
        cause = "complaint" if self._complaints else next(iter(view.chosen("cause")), None)
        reason = next(iter(view.chosen("reason")), None)
        domain = view.search.lstrip("@") or None
        found = await self._visitor.api.get(
            "blocklist", "/v1/blocks", cause=cause, reason=reason, domain=domain, after=mark or None, limit=limit
        )
        return Found(found["blocks"], found["next"])

    async def groups(self, view: View) -> Sequence[Group]:
        """Return the blocks by cause or by reason."""
        texts, counted = self._visitor.texts, Counter[str]()
        for row in await self._visitor.api.get("blocklist", "/v1/counts"):
            if not self._complaints or row["cause"] == "complaint":
                counted[row[view.group] or ""] += row["blocked"]

        def name(value: str) -> str:
            if view.group == "cause":
                return reasons.word(texts, reasons.CAUSES, value)
            return reasons.title(texts, value) or texts.t("No reason")

        return [Group(value, name(value), count) for value, count in counted.most_common()]

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the address."""
        return str(row["address"])

    name = identity

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a block."""
        texts = self._visitor.texts
        return {
            "address": {"text": row["address"]},
            "cause": {"text": reasons.word(texts, reasons.CAUSES, row["cause"]), "tone": "bad"},
            "reason": reason_cell(texts, row),
            "return_count": {"text": texts.number(row["return_count"])},
            "since": {"text": texts.time(row["since"]), "title": texts.full_time(row["since"])},
            "mailing": {"text": row["mailing"] or ""},
        }

    def chosen(self, table: Table) -> dict[str, Any]:
        """Return what is ticked, as operations want it."""
        return {"addresses": list(table.ticked)}


async def blocked(visitor: Visitor) -> None:
    """Draw the page."""
    complaints = visitor.query.get("tab") == "complaints"
    heading(
        visitor.t("Blocked addresses"),
        visitor.t("These addresses are skipped in every mailing. Clean them up: correct, delete, or clear the flag."),
    )
    with Tag("nav", "tabs", aria_label=visitor.t("Parts of this page")):
        link(visitor.t("All blocked"), "/blocked", aria_current=None if complaints else "page")
        link(visitor.t("Spam complaints"), "/blocked?tab=complaints", aria_current="page" if complaints else None)

    async def changed(_: Table) -> None:
        await menu.refresh()

    async def opened(row: Mapping[str, Any]) -> None:
        await detail(visitor, row)

    source = Blocked(visitor, complaints=complaints)
    also = {"tab": "complaints"} if complaints else {}
    selectable = visitor.may("write")
    table = Table(visitor, source, detail=opened, selectable=selectable, also=also, on_change=changed)
    menu = actions_menu(visitor, table, source.chosen)
    await table.load()
    await menu.refresh()
