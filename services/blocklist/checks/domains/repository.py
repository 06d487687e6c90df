"""The SQL of blocks of domains."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asyncpg import Record

from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.checks.domains.domain import DomainBlock, DomainBlocks
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


@dataclass(frozen=True, slots=True)
class Command:
    """Who says what of which domains."""

    tenant: str
    domains: Sequence[str]
    time: datetime
    by: str
    note: str


async def begin_change(connection: Connection, tenant: str, now: datetime) -> int:
    """Return the version of a change; others of the tenant wait until it is committed."""
    version = await PostgresRepository(connection).next_version(tenant, now)
    await connection.execute(Q["note_changed"], tenant)
    return version


async def block(connection: Connection, command: Command, until: datetime | None, version: int) -> list[Record]:
    """Block domains; return each with the time since when it is."""
    values = (command.tenant, command.domains, command.time, until, command.by, command.note, version)
    rows: list[Record] = await connection.fetch(Q["block"], *values)
    return rows


async def lift(connection: Connection, command: Command, cause: UnblockCause, version: int) -> list[str]:
    """Lift blocks; return the domains that were blocked."""
    values = (command.tenant, command.domains, command.time, command.by, command.note, cause, version)
    return [row["domain"] for row in await connection.fetch(Q["lift"], *values)]


async def ended(connection: Connection, now: datetime, limit: int) -> list[Record]:
    """Return tenant and domain of blocks that have ended."""
    rows: list[Record] = await connection.fetch(Q["ended"], now, limit)
    return rows


async def count(connection: Connection, tenant: str) -> int:
    """Return how many blocks a tenant has."""
    found: int = await connection.fetchval(Q["count"], tenant)
    return found


async def changed(source: Connection | Pool, tenant: str) -> int:
    """Return the version at which a tenant's blocks last changed; 0: never."""
    return await source.fetchval(Q["changed"], tenant) or 0


async def in_force(source: Connection | Pool, tenant: str) -> DomainBlocks:
    """Return the blocks of a tenant. A change meanwhile leaves them with the version before: they are read again."""
    version = await changed(source, tenant)
    rows = await source.fetch(Q["in_force"], tenant)
    return DomainBlocks((DomainBlock(row["domain"], row["since"], row["until"]) for row in rows), version)


async def rows_in_force(pool: Pool, tenant: str) -> list[Record]:
    """Return domain and version of every block of a tenant."""
    rows: list[Record] = await pool.fetch(Q["in_force"], tenant)
    return rows


async def page(pool: Pool, tenant: str, after: str, limit: int) -> list[Record]:
    """Return a page of the blocks in force, by domain."""
    rows: list[Record] = await pool.fetch(Q["page"], tenant, after, limit)
    return rows


async def closest(source: Connection | Pool, tenant: str, patterns: Sequence[str], now: datetime) -> Record | None:
    """Return the block that holds for a domain, given its patterns with the closest first."""
    row: Record | None = await source.fetchrow(Q["closest"], tenant, patterns, now)
    return row


async def past(pool: Pool, tenant: str, patterns: Sequence[str], limit: int) -> list[Record]:
    """Return what became of the blocks of these patterns, newest first."""
    rows: list[Record] = await pool.fetch(Q["past"], tenant, patterns, limit)
    return rows
