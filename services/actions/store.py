"""The SQL of actions. Every function works on a batch; nothing is decided here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from returpost.contracts import Result
from shared.database.pool import Connection
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("sql") / "recipients.sql")

Row = asyncpg.Record
Key = tuple[str, str, str]
"""Tenant, mailing and the key of the address."""
Place = tuple[str, str]
"""Tenant and the key of the address."""

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
    tenants, mailings, addresses, *moments = columns(rows, 10)
    # A kind that nobody had stays empty: `unnest` fills up with NULL, and nothing is sent for it.
    told = [column if any(column) else [] for column in moments]
    await connection.execute(Q["merge_results"], tenants, mailings, addresses, *told)


async def merge_verdicts(connection: Connection, verdicts: Mapping[Key, tuple[Any, ...]]) -> None:
    """Keep the latest (time, hard, reason, exhausted, code, status, diagnostic, written, rule) of each recipient."""
    await connection.execute(Q["merge_verdicts"], *columns([(*key, *verdicts[key]) for key in sorted(verdicts)], 12))


async def see_mailings(connection: Connection, seen: Mapping[tuple[str, str], tuple[datetime, datetime]]) -> None:
    """Note first and last time of each (tenant, mailing)."""
    await connection.execute(Q["see_mailings"], *columns([(*key, *seen[key]) for key in sorted(seen)], 4))


async def see_senders(connection: Connection, senders: Mapping[tuple[str, str], str]) -> None:
    """Note which system sent each (tenant, mailing)."""
    await connection.execute(Q["see_senders"], *columns([(*place, senders[place]) for place in sorted(senders)], 3))


async def apply_states(connection: Connection, states: Mapping[tuple[str, str], tuple[Any, ...]]) -> None:
    """Apply (version, blocked, cause, reason, return_count, since, mailing) by (tenant, address), when newer."""
    await connection.execute(Q["apply_states"], *columns([(*key, *states[key]) for key in sorted(states)], 9))


async def add_address_events(connection: Connection, told: Mapping[tuple[str, str, int], tuple[Any, ...]]) -> None:
    """Note (time, blocked, cause, reason, mailing, by, note) by (tenant, address, version), once."""
    await connection.execute(Q["add_address_events"], *columns([(*key, *told[key]) for key in sorted(told)], 10))


async def erased(connection: Connection, addresses: Iterable[Place]) -> dict[Place, datetime]:
    """Return when each of these addresses was erased, of those that were; no erasure comes in between from here on.

    Whoever writes addresses asks first: what is not newer than its erasure is not written.
    """
    await connection.execute(Q["share_addresses"])
    if not await connection.fetchval(Q["any_erasures"]):
        return {}
    rows = await connection.fetch(Q["erased"], *columns(sorted(set(addresses)), 2))
    return {(row["tenant"], row["address"]): row["erased_at"] for row in rows}


async def erase(connection: Connection, times: Mapping[Place, datetime]) -> None:
    """Remove each address from everything but operations, and note that it was erased."""
    await connection.execute(Q["hold_addresses"])
    rows = [(*place, times[place]) for place in sorted(times)]
    await connection.execute(Q["note_erasures"], *columns(rows, 3))
    await connection.execute(Q["erase"], *columns(sorted(times), 2))
