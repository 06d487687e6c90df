"""The SQL of the feed. It only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asyncpg import Record

from shared.database.pool import Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


@dataclass(frozen=True, slots=True)
class Head:
    """How far a tenant's feed goes."""

    version: int = 0
    erased: int = 0
    """At which version a blocked address was last erased."""


async def heads(pool: Pool, tenants: Sequence[str]) -> dict[str, Head]:
    """Return how far the feed of each of these tenants goes; those without any block are left out."""
    return {row["tenant"]: Head(row["version"], row["erased"]) for row in await pool.fetch(Q["heads"], tenants)}


async def events_after(pool: Pool, tenant: str, version: int, limit: int) -> list[Record]:
    """Return what became of addresses after a version; a few more than the limit where one version has several."""
    rows: list[Record] = await pool.fetch(Q["events_after"], tenant, version, limit)
    return rows
