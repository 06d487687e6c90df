"""Filter buttons that combine: none pressed shows all, several pressed show what fits any of them."""

from collections.abc import Sequence
from functools import partial

from services.console.parts.markup import Tag
from services.console.parts.shell import Visitor
from services.console.parts.table import Table


class Filters:
    """The buttons above a table."""

    def __init__(self, visitor: Visitor, table: Table, name: str, choices: Sequence[tuple[str, str]]) -> None:
        self._table, self._name = table, name
        self._buttons: dict[str, Tag] = {}
        with table.filters, Tag("div", "filters", role="group", aria_label=visitor.t("Show only")):
            for value, title in choices:
                made = Tag("button", "choice", visitor.t(title), type="button")
                made.on("click", partial(self._toggle, value))
                self._buttons[value] = made
        self.show()

    def show(self) -> None:
        """Show which are pressed."""
        chosen = self._table.view.chosen(self._name)
        for value, made in self._buttons.items():
            made.props["aria-pressed"] = "true" if value in chosen else "false"
            made.update()

    async def _toggle(self, value: str) -> None:
        await self._table.change(self._table.view.toggled(self._name, value))
        self.show()


def filter_buttons(visitor: Visitor, table: Table, name: str, choices: Sequence[tuple[str, str]]) -> Filters:
    """Put the buttons of a filter above a table."""
    return Filters(visitor, table, name, choices)
