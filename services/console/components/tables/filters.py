"""What narrows a table: buttons that combine, a menu for all else, and what is narrowed by, each to be taken away."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from services.console.components.field import Field
from services.console.components.markup import Tag, button, icon
from services.console.components.shell import Visitor
from services.console.components.tables.source import Total
from services.console.components.tables.table import Table


class Counting(Protocol):
    """A source that counts."""

    async def counts(self, shown: Sequence[str]) -> dict[str, Total]:
        """Return how many rows each of these buttons would show, by itself."""


Describe = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One field of the menu: a choice of values, or text (`kind` as of fields)."""

    name: str
    label: str
    kind: str = "select"
    choices: Mapping[str, str] | None = None
    """Values by what they are called, in the visitor's language already."""


class Filters:
    """All that narrows one table, above it."""

    def __init__(
        self,
        visitor: Visitor,
        table: Table,
        describe: Describe,
        narrowings: Sequence[Narrowing],
        buttons: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._visitor, self._table, self._describe, self._narrowings = visitor, table, describe, narrowings
        self._buttons: dict[str, Tag] = {}
        self._titles = {value: visitor.t(title) for value, title in buttons}
        with table.filters:
            if buttons:
                self._draw_buttons(buttons)
            with Tag("details", "menu filter-menu"):
                with Tag("summary"):
                    icon("filter")
                    Tag("span", text=visitor.t("Filter"))
                self._menu = Tag("div", "menu-box stack")
        with table.narrowed:
            self._chips = Tag("div", "chips", aria_label=visitor.t("Narrowed by"), role="group")
            self._sentence = Tag("p", "combined small quiet", "")
        self._shown: object = None
        table.listeners.append(self.show)

    def _draw_buttons(self, buttons: Sequence[tuple[str, str]]) -> None:
        t = self._visitor.t
        with Tag("div", "filters", role="group", aria_label=t("Show only"), title=t("Several of them: those of any")):
            for value, title in buttons:
                with Tag("button", "choice", type="button") as made:
                    Tag("span", text=t(title))
                made.on("click", partial(self._toggle, value))
                self._buttons[value] = made

    async def count(self, source: Counting) -> None:
        """Write beside each button how many rows it would show."""
        with self._visitor.guarding():
            for value, total in (await source.counts(tuple(self._buttons))).items():
                number = self._visitor.texts.number(total.count)
                with self._buttons[value]:
                    Tag("b", text=f" {number}" if total.exact else f" {number}+")

    def show(self) -> None:
        """Show what the table is narrowed by."""
        view = self._table.view
        if view.filters == self._shown:
            return
        self._shown = view.filters
        for value, made in self._buttons.items():
            made.props["aria-pressed"] = "true" if value in view.chosen("show") else "false"
            made.update()
        self._draw_menu()
        self._chips.clear()
        rest = [(name, value) for name, value in view.filters if name != "show" or value not in self._buttons]
        self._chips.set_visibility(bool(rest))
        with self._chips:
            for name, value in rest:
                self._chip(name, value)
        self._combine(rest)

    def _combine(self, rest: Sequence[tuple[str, str]]) -> None:
        """Say in a sentence how several filters combine: any of the buttons, and each of all others."""
        t, pressed = self._visitor.t, [value for value in self._titles if value in self._table.view.chosen("show")]
        either = f" {t('or')} ".join(self._titles[value] for value in pressed)
        parts = [*([either] if either else []), *(self._describe(name, value) for name, value in rest)]
        self._sentence.say(t("Shown: {what}", what=f" {t('and')} ".join(parts)))
        self._sentence.set_visibility(len(pressed) + len(rest) > 1)

    def _chip(self, name: str, value: str) -> None:
        text = self._describe(name, value)
        label = self._visitor.t("Take away: {what}", what=text)
        with Tag("button", "chip", type="button", aria_label=label) as made:
            Tag("span", text=text)
            icon("close")
        made.on("click", partial(self._take_away, name))

    def _draw_menu(self) -> None:
        t, view = self._visitor.t, self._table.view
        self._menu.clear()
        with self._menu:
            fields: dict[str, Field] = {}
            for one in self._narrowings:
                held = next(iter(view.chosen(one.name)), "")
                choices = None if one.choices is None else {"": t("All")} | dict(one.choices)
                fields[one.name] = Field(t(one.label), one.kind, held, choices=choices)
            button(t("Show"), partial(self._narrow, fields), "primary")

    async def _narrow(self, fields: Mapping[str, Field]) -> None:
        view = self._table.view
        for name, field in fields.items():
            value = str(field.value).strip()
            view = view.only(name, value or None)
        await self._table.change(view)

    async def _toggle(self, value: str) -> None:
        await self._table.change(self._table.view.toggled("show", value))

    async def _take_away(self, name: str) -> None:
        await self._table.change(self._table.view.only(name, None))
