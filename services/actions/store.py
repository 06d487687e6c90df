"""The SQL of actions. Every function works on a batch; nothing is decided here."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from shared.contracts import Result
from shared.database import Connection, queries

Q = queries(Path(__file__).with_name("queries.sql"))

Row = asyncpg.Record
Key = tuple[str, str, str]
"""Tenant, mailing and the key of the address."""

RESULTS = (
    Result.SENT,
    Result.DELIVERED,
    Result.DEFERRED,
    Result.BOUNCED,
    Result.OPENED,
    Result.COMPLAINED,
    Result.UNSUBSCRIBED,
)
"""The kinds of result, in the order of the columns of `merge_results`."""


def columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Turn rows into the arrays that a statement takes."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


async def merge_results(connection: Connection, times: Mapping[Key, Sequence[datetime | None]]) -> None:
    """Keep the latest time of each kind of result, in the order of `RESULTS`, one row a recipient."""
    rows = [(*key, *times[key]) for key in sorted(times)]
    await connection.execute(Q["merge_results"], *columns(rows, 10))


async def merge_verdicts(connection: Connection, verdicts: Mapping[Key, tuple[Any, ...]]) -> None:
    """Keep the latest verdict: (time, hard, reason, exhausted, code, status, diagnostic, written) by recipient."""
    await connection.execute(Q["merge_verdicts"], *columns([(*key, *verdicts[key]) for key in sorted(verdicts)], 11))


async def see_mailings(connection: Connection, seen: Mapping[tuple[str, str], tuple[datetime, datetime]]) -> None:
    """Note first and last time of each (tenant, mailing)."""
    await connection.execute(Q["see_mailings"], *columns([(*key, *seen[key]) for key in sorted(seen)], 4))


async def apply_states(connection: Connection, states: Mapping[tuple[str, str], tuple[Any, ...]]) -> None:
    """Apply (version, blocked, cause, reason, return_count, since) by (tenant, address), when newer."""
    await connection.execute(Q["apply_states"], *columns([(*key, *states[key]) for key in sorted(states)], 8))


async def erase(connection: Connection, addresses: Sequence[tuple[str, str]]) -> None:
    """Remove each (tenant, address) from everything."""
    await connection.execute(Q["erase"], *columns(sorted(set(addresses)), 2))


async def begin_operation(connection: Connection, values: tuple[Any, ...]) -> bool:
    """Write a new operation; tells whether it was new."""
    return await connection.fetchval(Q["begin_operation"], *values) is not None


async def open_items(connection: Connection, tenant: str, operation_id: str) -> list[str]:
    """Return the addresses, as written, that wait for their outcome."""
    return [row["written"] for row in await connection.fetch(Q["open_items"], tenant, operation_id)]
