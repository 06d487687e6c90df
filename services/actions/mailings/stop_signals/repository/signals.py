"""Counts of mailings by minute, their breaches, and storms."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from returpost.contracts.enums import BreachKind, BreachLevel, BreachScope
from services.actions.mailings.stop_signals.domain import FAULT_REASONS, HARD_REASONS, Breach, Counts, Minutes
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

_Q = queries(Path(__file__).with_name("signals.sql"))
COUNT_TIMEOUT = 600.0
"""Seconds for one mailing; 200,000 recipients took a tenth of one."""


class NoticedBreach(NamedTuple):
    """A breach, and when it was noticed."""

    breach: Breach
    noticed_at: datetime


class PastMailing(NamedTuple):
    """A mailing with its counts."""

    mailing: str
    name: str | None
    at: datetime
    minutes: Minutes


class Storm(NamedTuple):
    """A storm, as far as it is known."""

    tenant: str
    storm: str
    kind: str
    value: str
    begun: datetime
    ended: datetime | None


async def count_minutes(connection: Connection, tenant: str, mailing: str) -> None:
    """Count a mailing anew."""
    await connection.execute(_Q["delete_minutes"], tenant, mailing)
    reasons = (sorted(HARD_REASONS), sorted(FAULT_REASONS))
    await connection.execute(_Q["count_minutes"], tenant, mailing, *reasons, timeout=COUNT_TIMEOUT)


async def minutes_of(connection: Connection | Pool, tenant: str, mailing: str) -> dict[datetime, Counts]:
    """Return the counts of a mailing by minute."""
    rows = await connection.fetch(_Q["minutes"], tenant, mailing)
    return {row["minute"]: Counts(*[*row.values()][1:]) for row in rows}


async def together(connection: Connection, tenant: str, after: datetime, last: datetime) -> dict[datetime, Counts]:
    """Return the counts of all mailings of a tenant by minute, after one minute up to another."""
    rows = await connection.fetch(_Q["together"], tenant, after, last)
    return {row[0]: Counts(*[*row.values()][1:]) for row in rows}


async def past_mailings(pool: Pool, tenant: str, since: datetime, limit: int) -> list[PastMailing]:
    """Return the newest mailings since a time with their counts, the last first."""
    rows = await pool.fetch(_Q["past_mailings"], tenant, since, limit)
    return [PastMailing(row["mailing"], row["name"], row["at"], _minutes(row)) for row in rows]


async def noticed_breaches(connection: Connection | Pool, tenant: str, mailing: str) -> list[NoticedBreach]:
    """Return the breaches of a mailing that were noticed, by time."""
    return [_noticed(row) for row in await connection.fetch(_Q["breaches"], tenant, mailing)]


async def add_breaches(
    connection: Connection, tenant: str, mailing: str, found: Sequence[Breach], now: datetime
) -> None:
    """Keep breaches, each kind and level once."""
    if found:
        await connection.execute(_Q["add_breaches"], tenant, mailing, now, *columns([astuple(one) for one in found], 7))


async def mark(connection: Connection, tenant: str, mailing: str) -> None:
    """Have a mailing counted again."""
    await connection.execute(_Q["mark"], tenant, mailing)


async def record_storms(connection: Connection, storms: Iterable[Storm]) -> None:
    """Keep storms, and have the mailings counted again that they may be about."""
    found = sorted(storms)
    await connection.execute(_Q["record_storms"], *columns(found, 6))
    await mark_since(connection, [(one.tenant, one.begun) for one in found])


async def mark_since(connection: Connection, times: Sequence[tuple[str, datetime]]) -> None:
    """Have the mailings of each tenant counted again to which anything has happened since a time."""
    await connection.execute(_Q["mark_since"], *columns(times, 2))


def _noticed(row: Any) -> NoticedBreach:
    breach = Breach(
        BreachKind(row["kind"]),
        BreachLevel(row["level"]),
        row["time"],
        row["count"],
        row["of_results"],
        row["threshold"],
        BreachScope(row["scope"]),
    )
    return NoticedBreach(breach, row["noticed_at"])


def _minutes(row: Any) -> Minutes:
    counts = map(Counts, *(row[name] for name in Counts._fields))
    return dict(zip(row["minutes"], counts, strict=True))
