"""The SQL of channels, and of what was sent to them."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from asyncpg import Record

from services.alerts.domain.channel import Channel
from services.alerts.repository.rows import channel_of
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("channels.sql"))


async def add(connection: Connection, channel: Channel, now: datetime, by: str) -> bool:
    """Add a channel; return whether its name was free."""
    c = channel
    row = await connection.fetchrow(
        Q["add"], c.id, c.tenant, c.name, c.kind, list(c.recipients), c.url, c.secret, *_rule(c), now, by
    )
    return row is not None


async def of_tenant(database: Pool | Connection, tenant: str, name: str | None = None) -> list[Record]:
    """Return all channels of a tenant, or one, with what became of the last message of each."""
    rows: list[Record] = await database.fetch(Q["of_tenant"], tenant, name)
    return rows


async def lock(connection: Connection, tenant: str, name: str) -> Record | None:
    """Return one channel of a tenant, locked until the transaction ends."""
    row: Record | None = await connection.fetchrow(Q["lock"], tenant, name)
    return row


async def change(connection: Connection, channel: Channel, enabled: bool, now: datetime, by: str) -> None:
    """Change a locked channel."""
    c = channel
    await connection.execute(Q["change"], c.id, list(c.recipients), c.url, *_rule(c), enabled, now, by)


async def rotate(connection: Connection, id_: UUID, secret: str, now: datetime, by: str) -> None:
    """Give a locked channel another secret."""
    await connection.execute(Q["rotate"], id_, secret, now, by)


async def remove(pool: Pool, tenant: str, name: str) -> bool:
    """Remove a channel and the log of what was sent to it; return whether there was one."""
    return await pool.fetchval(Q["remove"], tenant, name) is not None


async def enabled(connection: Connection, tenants: Iterable[str]) -> list[Channel]:
    """Return the channels of some tenants that messages go to."""
    return [channel_of(row) for row in await connection.fetch(Q["enabled"], sorted(set(tenants)))]


async def messages(
    pool: Pool, channel: UUID, state: str | None, before: tuple[datetime | None, str | None], limit: int
) -> list[Record]:
    """Return a page of what was sent to a channel, newest first, in one state if it is given."""
    rows: list[Record] = await pool.fetch(Q["messages"], channel, state, *before, limit)
    return rows


def _rule(channel: Channel) -> tuple[Any, ...]:
    c = channel
    start, end = (None, None) if c.quiet is None else (c.quiet.start, c.quiet.end)
    return (
        c.language, c.severity, sorted(c.causes), sorted(c.tenants), c.digest, c.digest_at, start, end, c.zone,
        c.hold_critical, c.weekly_report,
    )  # fmt: skip
