"""Runs the statements of keyset queries."""

from typing import Any, TypeVar

import asyncpg

from returpost.errors import InvalidMessage
from services.actions.views.domain import Group
from services.actions.views.keyset import MAX_COUNT, KeysetQuery, PageStart, Statement, starts
from services.actions.views.view_queries import ViewSql
from shared.database.pool import Pool
from shared.http.pagination import encode_cursor

Q = TypeVar("Q", bound=KeysetQuery[Any])
S = TypeVar("S")


async def probe(pool: Pool, query: Q) -> Q:
    """Run the probes of a query, if it has any, and let it decide how its rows are found."""
    if (statement := query.probes()) is not None:
        row = await pool.fetchrow(statement.sql, *statement.arguments)
        query.decide(dict(row or {}))
    return query


async def fetch_page(
    pool: Pool, query: KeysetQuery[S], sort: S, *, descending: bool, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of a page and the cursor of the next one. Raises `InvalidMessage` for another list's cursor."""
    rows: list[dict[str, Any]] = []
    for empty, after in starts(query, sort, cursor):
        statement = query.page(sort, PageStart(empty, after, limit - len(rows)), descending=descending)
        try:
            found = await pool.fetch(statement.sql, *statement.arguments)
        except asyncpg.DataError:  # a key that is no value of its type
            raise InvalidMessage("cursor: invalid for this list in this order") from None
        rows += map(dict, found)
        if len(rows) == limit:
            return _without_positions(rows), encode_cursor(empty, *found[-1]["position"])
    return _without_positions(rows), None


def _without_positions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row in rows:
        del row["position"]
    return rows


async def fetch_count(pool: Pool, query: KeysetQuery[Any]) -> tuple[int, bool]:
    """Return how many rows there are, and whether that is exact."""
    statement = query.count()
    number: int = await pool.fetchval(statement.sql, *statement.arguments)
    return min(number, MAX_COUNT), number <= MAX_COUNT


async def fetch_groups(pool: Pool, query: ViewSql, group: Group) -> tuple[list[dict[str, Any]], bool]:
    """Return the groups with their counts, the largest first, and whether all rows were counted."""
    return await fetch_statement_groups(pool, query.groups(group), query.grouped)


async def fetch_statement_groups(pool: Pool, statement: Statement, most: int) -> tuple[list[dict[str, Any]], bool]:
    """Return the groups of a statement, and whether the rows were at most so many, which are all that it counts."""
    rows = await pool.fetch(statement.sql, *statement.arguments)
    return [dict(row) for row in rows], not rows or rows[0]["seen"] <= most
