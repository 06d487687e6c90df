"""A page by key: rows that have a value of what is sorted by come first, in either direction, then those without."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from fastapi import Request

from returpost.errors import InvalidMessage
from services.actions.access import rows

COUNTED = 10_000
"""Rows that are counted exactly; of more it is told that there are more."""


@dataclass(slots=True)
class Statement:
    """SQL with its arguments."""

    sql: str = ""
    arguments: list[Any] = field(default_factory=list)

    def take(self, value: Any) -> str:
        """Return the placeholder of a value."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins, in one of its two phases."""

    empty: bool
    """Whether it is the phase of rows without a value to sort by."""
    after: str | None
    """Mark of the row before, of the same phase; nothing: from its beginning."""
    limit: int


async def page(
    request: Request, phases: Sequence[bool], after: str | None, limit: int, statement_of: Callable[[Place], Statement]
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of a page, and the mark of the next. Raises `InvalidMessage` for a mark of something else.

    Each row that a statement gives has a `mark`: the values of its keys, as text.
    """
    found: list[dict[str, Any]] = []
    for empty in phases:
        if after is not None and empty < _read(after)[0]:
            continue
        mark = after if after is not None and _read(after)[0] is empty else None
        statement = statement_of(Place(empty, mark, limit - len(found)))
        try:
            part = await rows(request, statement.sql, *statement.arguments)
        except asyncpg.DataError:
            raise InvalidMessage("after: not a mark of this view in this order") from None
        found += part
        if len(found) == limit:
            return _without_marks(found), _marked(empty, part[-1]["mark"])
    return _without_marks(found), None


def counting(statement: Statement, source: str) -> Statement:
    """Make it the statement that counts rows, up to one more than `COUNTED`."""
    statement.sql = f"SELECT count(*) FROM (SELECT 1 {source} LIMIT {COUNTED + 1}) AS n"  # noqa: S608
    return statement


async def count(request: Request, statement: Statement) -> dict[str, Any]:
    """Return how many rows there are, and whether these are all."""
    (row,) = await rows(request, statement.sql, *statement.arguments)
    return {"count": min(row["count"], COUNTED), "exact": row["count"] <= COUNTED}


def following(statement: Statement, keys: Sequence[tuple[str, str]], after: str, *, descending: bool) -> str:
    """Return the condition for what comes after a mark; `keys` are expressions with their types.

    Raises `InvalidMessage` for what is no mark of so many keys.
    """
    marks = _read(after)[1:]
    if len(marks) != len(keys) or not all(isinstance(one, str) and "\x00" not in one for one in marks):
        raise InvalidMessage("after: not a mark of this view in this order")
    places = ", ".join(f"{statement.take(mark)}::text::{type_}" for mark, (_, type_) in zip(marks, keys, strict=True))
    return f"({', '.join(key for key, _ in keys)}) {'<' if descending else '>'} ({places})"


def _without_marks(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "mark"} for row in found]


def _marked(empty: bool, mark: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([empty, *mark]).encode()).decode()


def _read(mark: str) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(mark.encode()))
    except ValueError:
        values = None
    if not isinstance(values, list) or not values or not isinstance(values[0], bool):
        raise InvalidMessage("after: no mark; give `next` of the page before")
    return values
