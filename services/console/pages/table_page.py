"""A table of addresses with all that belongs to it: filters, the side panel, and the Actions button."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.console.components.progress import After
from services.console.components.shell import Visitor
from services.console.components.tables.actions_menu import ActionsMenu
from services.console.components.tables.filters import Filters
from services.console.components.tables.saved_views import SavedViews
from services.console.components.tables.table import Table
from services.console.pages.detail import detail
from services.console.pages.rows import Rows


async def show(
    visitor: Visitor,
    source: Rows,
    also: Mapping[str, str],
    buttons: Sequence[tuple[str, str]] = (),
    more: Callable[[After], None] | None = None,
) -> None:
    """Draw it; `also` is what else the page's address says, `more` draws what else changes the rows."""

    async def opened(row: Mapping[str, Any]) -> None:
        await detail(visitor, row, table.anew, table.open_next)

    table = Table(visitor, source, detail=opened, selectable=visitor.may("write"), also=also)
    filters = Filters(visitor, table, source.describe, source.narrowings(), buttons)
    views = SavedViews(visitor, table)
    menu = ActionsMenu(visitor, table, source.chosen)
    if more is not None:
        more(table.anew)
    await asyncio.gather(table.begin(), views.show())
    if buttons:
        await filters.count(source)
    await menu.resume()
