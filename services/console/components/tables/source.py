"""Where the rows of a table come from, and what is known of its columns: what every page gives to its table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.console.components.tables.view import View
from services.console.i18n import gettext_noop as _

Cells = dict[str, dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `kind` says how it is drawn: text, number or wraps."""

    name: str
    title: str
    kind: str = "text"
    sort: bool = True
    group: str = ""
    """What rows are grouped by from this column; nothing: they are not."""
    group_title: str = _("Group by this column")
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """One page of rows."""

    rows: Sequence[Mapping[str, Any]]
    following: str | None = None
    """Mark of the next page."""


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows a view has; not exact: they are more."""

    count: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """One group: the value that its rows share, what it is called, and how many they are."""

    value: str | None
    """Nothing for the rows that have none: they are counted, and not opened."""
    title: str
    count: int


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a view; not exact: they are of its first rows."""

    groups: Sequence[Group] = ()
    exact: bool = True


class Source(Protocol):
    """Where the rows come from, and how they look."""

    sort: str
    descending: bool
    caption: str
    search: str
    """What the search finds; nothing: the service cannot search here, and the field is left out."""
    search_help: str
    """How it finds; nothing: there is nothing to know about it."""
    takes_all: bool
    """Whether operations can be told to take all that match, without a list of them."""
    empty: tuple[str, str, str]
    """Icon, title and what to do when there are no rows at all."""

    @property
    def columns(self) -> Sequence[Column]:
        """All columns, in their order."""

    async def page(self, view: View, mark: str, limit: int) -> Found:
        """Return the page after a mark."""

    async def total(self, view: View) -> Total | None:
        """Return how many rows a view has; nothing when that is not known."""

    async def groups(self, view: View) -> Groups:
        """Return the groups of a view, by what it names."""

    def identity(self, row: Mapping[str, Any]) -> str:
        """Return the id of a row."""

    def name(self, row: Mapping[str, Any]) -> str:
        """Return what a row is called for those who do not see it."""

    def cells(self, row: Mapping[str, Any]) -> Cells:
        """Return what is shown of a row, by column."""


class Ungrouped:
    """A source whose rows are neither counted nor grouped."""

    search_help = ""

    async def total(self, view: View) -> Total | None:
        """Nobody counts them."""
        return None

    async def groups(self, view: View) -> Groups:
        """There are none."""
        return Groups()
