"""Keyset pagination in two phases: rows that have a value of the sort column come first, then those without one.

Either way the sort is ascending or descending. Each phase walks one index, so no row is read that is not shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from returpost.errors import InvalidMessage
from shared.http.pagination import decode_cursor

MAX_COUNT = 10_000
"""Rows that are counted exactly."""
Keys = list[tuple[str, str]]
"""SQL expressions that rows are ordered by, each with its type."""
S = TypeVar("S", contravariant=True)


@dataclass(slots=True)
class Statement:
    """SQL with its arguments."""

    sql: str = ""
    arguments: list[Any] = field(default_factory=list)

    def take(self, value: Any) -> str:
        """Add an argument, and return its placeholder."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"


@dataclass(frozen=True, slots=True)
class PageStart:
    """Where one phase of a page starts."""

    empty: bool
    """Whether it is the phase of rows without a value of the sort column."""
    after: Sequence[str] | None
    """Keys of the row before, of the same phase; none: the phase's first row."""
    limit: int


class KeysetQuery(Protocol[S]):
    """What can be paged through: probes count how many rows match, then the query decides how to find them."""

    def probes(self) -> Statement | None: ...

    def decide(self, counts: Mapping[str, int]) -> None: ...

    def phases(self, sort: S) -> tuple[bool, ...]: ...

    def keys(self, sort: S, *, empty: bool) -> Keys: ...

    def page(self, sort: S, start: PageStart, *, descending: bool) -> Statement: ...

    def count(self) -> Statement: ...


def starts(query: KeysetQuery[S], sort: S, cursor: str | None) -> list[tuple[bool, Sequence[str] | None]]:
    """Return the phases of a page, each with the keys that it starts after. Raises `InvalidMessage`."""
    phases = query.phases(sort)
    if cursor is None:
        return [(empty, None) for empty in phases]
    for number, empty in enumerate(phases):
        try:
            first, *keys = decode_cursor(cursor, bool, *[str] * len(query.keys(sort, empty=empty)))
        except InvalidMessage:
            if number == len(phases) - 1:
                raise
            continue
        texts = [key for key in keys if isinstance(key, str) and "\x00" not in key]
        if first is empty and len(texts) == len(keys):
            return [(empty, texts), *((later, None) for later in phases[number + 1 :])]
    raise InvalidMessage("cursor: invalid for this list in this order")


def after_condition(statement: Statement, keys: Keys, after: Sequence[str], *, descending: bool) -> str:
    """Return the SQL condition for rows behind the one with the keys `after`."""
    values = ", ".join(f"{statement.take(one)}::text::{type_}" for one, (_, type_) in zip(after, keys, strict=True))
    return f"({', '.join(key for key, _ in keys)}) {'<' if descending else '>'} ({values})"


def counting(statement: Statement, source: str) -> Statement:
    """Make it the statement that counts rows, up to one more than `MAX_COUNT`."""
    statement.sql = f"SELECT count(*) FROM (SELECT 1 {source} LIMIT {MAX_COUNT + 1}) AS n"  # noqa: S608
    return statement
