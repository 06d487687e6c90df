"""The SQL of alerts: kept once a cause, and assigned to channels."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from services.alerts.domain.alert import Alert
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("alerts.sql"))


async def raise_new(connection: Connection, alerts: Sequence[Alert], now: datetime) -> list[Alert]:
    """Keep the alerts of which the cause is new; return those."""
    by_id = {alert.id: alert for alert in reversed(alerts)}
    rows = [(a.id, a.tenant, a.kind, a.severity, json.dumps(a.facts), a.time) for _, a in sorted(by_id.items())]
    return [by_id[row["id"]] for row in await connection.fetch(Q["raise"], *columns(rows, 6), now)]


async def assign(connection: Connection, rows: Iterable[tuple[UUID, str, datetime]]) -> None:
    """Note which alert goes to which channel, and when at the earliest."""
    await connection.execute(Q["assign"], *columns(rows, 3))


async def newest(pool: Pool, tenant: str, before: tuple[datetime | None, str | None], limit: int) -> list[Record]:
    """Return a page of the alerts of a tenant, newest first."""
    rows: list[Record] = await pool.fetch(Q["newest"], tenant, *before, limit)
    return rows


async def prune(pool: Pool, before: datetime) -> None:
    """Forget alerts and messages from before a time."""
    await pool.execute(Q["prune_messages"], before)
    await pool.execute(Q["prune"], before)
