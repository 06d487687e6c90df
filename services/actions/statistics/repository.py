"""Aggregates of mailings and of blocks, and what has to be aggregated again."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from services.actions.mailings.repository import old_recipients
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

COUNTS = ("sent", "delivered", "hard", "soft", "complained", "opened", "unsubscribed", "recovered")
"""What is counted, each recipient once a mailing."""
STATISTICS, SIGNALS = ("mailing", "blocks"), "signals"
"""What is counted behind the pipeline: for statistics, and to see whether a mailing has to stop."""
AGGREGATION_TIMEOUT = 600.0
"""Seconds for one mailing; 20,000 recipients took 0.2 on a busy machine."""

_SUMS = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in COUNTS)
_Q = {name: sql.replace("{counts}", _SUMS) for name, sql in queries(Path(__file__).with_name("statistics.sql")).items()}


class Run(NamedTuple):
    """One thing that is counted, locked by this transaction."""

    tenant: str
    counted: str
    name: str


async def mark_mailings_dirty(connection: Connection, mailings: Iterable[tuple[str, str]]) -> None:
    """Have these (tenant, mailing) counted again; call it after the change, in the same transaction."""
    await connection.execute(_Q["mark_dirty"], ["mailing", SIGNALS], *columns(sorted(set(mailings)), 2))


async def mark_block_days_dirty(connection: Connection, days: Iterable[tuple[str, str]]) -> None:
    """Have the blocks of these (tenant, day in ISO 8601) aggregated again."""
    await connection.execute(_Q["mark_dirty"], ["blocks"], *columns(sorted(set(days)), 2))


async def schedule_dirty(pool: Pool, seconds: float, share: int, counted: Sequence[str]) -> None:
    """Schedule what is dirty of these, and was not counted in the last `seconds` nor in `share` times what it took."""
    async with pool.acquire() as connection:
        async with connection.transaction():
            rows = await connection.fetch(_Q["take_dirty"], seconds, share, counted)
            if rows:
                await connection.execute(_Q["schedule_runs"], *columns([tuple(row) for row in rows], 3))
        await connection.execute(_Q["set_horizons"])


async def aggregate_one(pool: Pool) -> float | None:
    """Aggregate one thing that is scheduled and ready; return the seconds that it took, nothing when there is none."""
    async with pool.acquire() as connection, connection.transaction():
        run = await take_run(connection, STATISTICS)
        if run is None:
            return None
        tenant, counted, name = run
        began = time.monotonic()
        if counted != "mailing" or not await old_recipients.has_removed(connection, tenant, name):
            await connection.execute(_Q[f"delete_{counted}"], tenant, name)
            await connection.execute(_Q[f"aggregate_{counted}"], tenant, name, timeout=AGGREGATION_TIMEOUT)
        took = time.monotonic() - began
        await finish_run(connection, run, took)
        return took


async def take_run(connection: Connection, counted: Sequence[str]) -> Run | None:
    """Lock one thing of these that is scheduled and ready; nothing when there is none."""
    row = await connection.fetchrow(_Q["take_ready"], counted)
    return None if row is None else Run(*row)


async def finish_run(connection: Connection, run: Run, took: float) -> None:
    """Record that it was counted, and how many seconds it took."""
    await connection.execute(_Q["finish_run"], *run, took)


async def window(
    pool: Pool, tenant: str, first: date, last: date, mailing: str | None, max_groups: int
) -> dict[str, Any]:
    """Return the aggregates of days: `pending`, `days`, `reasons`, `domains`, `blocks`; of a mailing or of all."""
    of_window = (tenant, first, last, mailing)
    async with pool.acquire() as connection:
        # Pending first: what is aggregated meanwhile is in what follows.
        pending = await connection.fetchval(_Q["pending"], tenant)
        days = await connection.fetch(_Q["days"], *of_window)
        reasons = await connection.fetch(_Q["split"], *of_window, "reason", max_groups)
        domains = await connection.fetch(_Q["split"], *of_window, "domain", max_groups)
        blocks = await connection.fetch(_Q["blocks"], tenant, first, last)
    found = {"days": days, "reasons": reasons, "domains": domains, "blocks": blocks}
    return {"pending": pending} | {name: [dict(row) for row in rows] for name, rows in found.items()}


async def tenants(pool: Pool) -> list[str]:
    """Return all tenants that have statistics."""
    return [row["tenant"] for row in await pool.fetch(_Q["tenants"])]


@dataclass(frozen=True, slots=True)
class MailingFilter:
    """Which mailings; what is none narrows nothing."""

    part: str | None = None
    """A part of name, subject or id, in small letters."""
    first: date | None = None
    """First day on which they were sent, in UTC."""
    last: date | None = None


async def page_of_mailings(
    pool: Pool, tenant: str, before: tuple[datetime, str] | None, limit: int, by: MailingFilter
) -> list[dict[str, Any]]:
    """Return mailings with their counts, the last sent first."""
    asked = (tenant, *(before or (None, "")), limit, by.part, by.first, by.last)
    rows = await pool.fetch(_Q["page_of_mailings"], *asked)
    return [dict(row) for row in rows]
