"""The SQL of storms."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from returpost.contracts.enums import StormKind
from services.blocklist.address_state.domain import FOREVER
from services.blocklist.storms.domain import Storm, StormState, Suspect
from services.blocklist.storms.storm_window import Seen
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


async def of_tenants(connection: Connection, tenants: Iterable[str]) -> dict[str, list[Storm]]:
    """Return the storms of each tenant that keep bounces from counting."""
    found: dict[str, list[Storm]] = defaultdict(list)
    for row in await connection.fetch(Q["of_tenants"], sorted(set(tenants))):
        found[row["tenant"]].append(_storm(row))
    return found


async def ongoing(connection: Connection) -> dict[str, set[Suspect]]:
    """Return the storms that there are now, by tenant."""
    found: dict[str, set[Suspect]] = defaultdict(set)
    for row in await connection.fetch(Q["ongoing"]):
        found[row["tenant"]].add(Suspect(StormKind(row["kind"]), row["value"]))
    return found


async def count_ongoing(connection: Connection) -> int:
    """Return how many storms there are now."""
    count: int = await connection.fetchval(Q["count_ongoing"])
    return count


async def continues(connection: Connection, tenant: str, suspect: Suspect, now: datetime) -> bool:
    """Keep that a storm goes on; return whether there is one."""
    return await connection.fetchval(Q["continues"], tenant, suspect.kind, suspect.value, now) is not None


async def usual(connection: Connection, tenant: str, suspect: Suspect, begin: datetime, end: datetime) -> Record | None:
    """Return `bounces` that a tenant had between two times, and the `count` of a suspect among them."""
    row: Record | None = await connection.fetchrow(Q["usual"], tenant, begin, end, suspect.kind, suspect.value)
    return row


async def begin(connection: Connection, id_: UUID, seen: Seen, now: datetime) -> bool:
    """Add a storm; return whether there was none."""
    row = (seen.tenant, seen.suspect.kind, seen.suspect.value, seen.begun, now, seen.count, seen.bounces)
    return await connection.fetchval(Q["begin"], id_, *row) is not None


async def end_quiet(connection: Connection, last_seen: datetime, now: datetime) -> list[Record]:
    """End the storms of which nothing was seen since a time; return id, tenant, kind, value and begun of each."""
    rows: list[Record] = await connection.fetch(Q["end_quiet"], last_seen, now)
    return rows


async def judge(
    connection: Connection, tenant: str, storm: UUID, state: StormState, by: str, note: str, now: datetime
) -> bool:
    """Say what is to be done with the bounces of a storm; return whether there is such a storm."""
    return await connection.fetchval(Q["judge"], tenant, storm, state, now, by, note) is not None


async def newest(pool: Pool, tenant: str, before: tuple[datetime | None, UUID | None], limit: int) -> list[Record]:
    """Return the newest storms of a tenant, before a time and id if they are given."""
    rows: list[Record] = await pool.fetch(Q["newest"], tenant, *before, limit)
    return rows


async def get(pool: Pool, tenant: str, storm: UUID) -> Record | None:
    """Return one storm, and how many addresses are blocked since it began that it may have blocked."""
    row: Record | None = await pool.fetchrow(Q["get"], tenant, storm)
    return row


async def count_addresses(connection: Connection, tenant: str, storm: UUID, seconds: float) -> int:
    """Return how many addresses of a tenant had a bounce in a storm."""
    count: int = await connection.fetchval(Q["count_addresses"], tenant, storm, timeout=seconds)
    return count


async def next_addresses(
    connection: Connection, tenant: str, storm: UUID, after: str, limit: int, seconds: float
) -> list[str]:
    """Return the next of them."""
    rows = await connection.fetch(Q["next_addresses"], tenant, storm, after, limit, timeout=seconds)
    return [row["address"] for row in rows]


def _storm(row: Record) -> Storm:
    suspect = Suspect(StormKind(row["kind"]), row["value"])
    ended = row["ended"] or FOREVER
    return Storm(str(row["id"]), suspect, row["begun"], row["suspended_from"], ended, StormState(row["state"]))
