"""The SQL of checks and snapshots. It only reads."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from asyncpg import Record

from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))
ANY_VERSION = 2**63 - 1
"""After which nothing changes."""


async def to_skip(
    source: Connection | Pool,
    tenant: str,
    keys: Sequence[str],
    now: datetime,
    stream: str | None,
    domains: int = ANY_VERSION,
) -> list[Record]:
    """Return address, cause, reason, since, until and the other causes of those of these keys that a mailing skips now.

    Who names no stream skips also whoever has unsubscribed from some stream alone. A row without an address comes last
    when the blocks of domains, which are another question, have changed after the version `domains`.
    """
    rows: list[Record] = await source.fetch(Q["check"], tenant, keys, now, stream, domains)
    return rows


async def skips_erased(pool: Pool, tenant: str) -> bool:
    """Say whether any address was erased, and this tenant skips those that were."""
    return bool(await pool.fetchval(Q["skips_erased"], tenant))


async def blocked_after(pool: Pool, tenant: str, version: int, address: str, limit: int) -> list[Record]:
    """Return the next blocks in the order of their last change.

    Address, version, cause, reason, exempt streams, and the streams that skip it where not all do.
    """
    rows: list[Record] = await pool.fetch(Q["blocked_after"], tenant, version, address, limit)
    return rows


async def keys_after(pool: Pool, tenant: str, version: int, address: str, limit: int) -> list[Record]:
    """Return address and version of the next blocks, in the order of their last change."""
    rows: list[Record] = await pool.fetch(Q["keys_after"], tenant, version, address, limit)
    return rows


async def count_blocked(pool: Pool, tenant: str) -> int:
    """Return how many addresses of a tenant are blocked."""
    count: int = await pool.fetchval(Q["count_blocked"], tenant)
    return count
