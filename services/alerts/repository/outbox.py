"""The SQL of messages on their way: formed of what is due, leased, tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from services.alerts.domain.alert import Alert
from services.alerts.domain.channel import Channel
from services.alerts.repository.rows import alert_of, channel_of
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("outbox.sql"))

MAX_ALERTS = 250
"""Of one message; what is above goes out with the next."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message that is due."""

    id: str
    channel: UUID
    attempts: int
    formed_at: datetime


async def lock_due(connection: Connection, now: datetime) -> list[UUID]:
    """Return the channels that something waits for, locked until the transaction ends."""
    return [row["id"] for row in await connection.fetch(Q["channels_due"], now)]


async def formed_since(connection: Connection, channel: UUID, since: datetime) -> list[datetime]:
    """Return when the messages of a channel were formed since a time."""
    return [row["formed_at"] for row in await connection.fetch(Q["formed_since"], channel, since)]


async def waiting(connection: Connection, channel: UUID, now: datetime) -> list[str]:
    """Return the alerts that are due for a channel, oldest first."""
    return [row["alert"] for row in await connection.fetch(Q["waiting"], channel, now, MAX_ALERTS)]


async def form(connection: Connection, id_: str, channel: UUID, alerts: Sequence[str], now: datetime) -> None:
    """Make one message of some alerts."""
    await connection.execute(Q["form"], id_, channel, alerts, now)
    await connection.execute(Q["include"], channel, id_, alerts)


async def lease(pool: Pool, now: datetime, duration: timedelta, limit: int) -> list[Message]:
    """Return messages that are due; nobody else tries them for so long."""
    return [Message(**row) for row in await pool.fetch(Q["lease"], now, duration, limit)]


async def read(pool: Pool, message: Message) -> tuple[Channel | None, list[Alert]]:
    """Return where a message goes, nothing when that was removed, and what it tells."""
    row = await pool.fetchrow(Q["channel"], message.channel)
    alerts = [alert_of(one) for one in await pool.fetch(Q["alerts_of"], message.id)]
    return (None if row is None else channel_of(row)), alerts


async def tried(pool: Pool, id_: str, state: str, problem: str, due: datetime | None, now: datetime) -> None:
    """Note one attempt, and what follows from it."""
    await pool.execute(Q["tried"], id_, state, problem, due, now)
