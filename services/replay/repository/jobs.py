"""Jobs: what operators asked for, and how far it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from services.replay.domain.selection import ArchiveSelection, DeadLetterSelection
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("jobs.sql"))


@dataclass(frozen=True, slots=True)
class Job:
    """One job; `selection` is JSON."""

    id: UUID
    kind: str
    selection: str
    requested_by: str
    requested_at: datetime
    rate: int
    state: str
    total: int
    done: int
    next_offset: int | None
    error: str | None
    missing: list[str]
    begun_at: datetime
    ended_at: datetime | None


async def insert(
    connection: Connection,
    kind: str,
    selection: DeadLetterSelection | ArchiveSelection,
    *,
    by: str,
    total: int,
    rate: int,
) -> UUID:
    """Insert a job, which the runner picks up; return its id."""
    identity = uuid4()
    await connection.execute(
        Q["insert_job"], identity, kind, selection.model_dump_json(), by, datetime.now(UTC), rate, total, None
    )
    return identity


async def lock_next(connection: Connection) -> Job | None:
    """Lock and return the oldest running job that no other worker has."""
    row = await connection.fetchrow(Q["lock_job"])
    return None if row is None else _job(row)


async def advance(connection: Connection, identity: UUID, done: int, next_offset: int | None = None) -> None:
    """Add to what is done, and note where an archive job continues."""
    await connection.execute(Q["advance_job"], identity, done, next_offset)


async def add_missing_queues(connection: Connection, identity: UUID, queues: Sequence[str]) -> list[str]:
    """Note queues that a job found missing; return all that it found."""
    found: list[str] = await connection.fetchval(Q["add_missing_queues"], identity, queues)
    return found


async def end(connection: Connection | Pool, identity: UUID, state: str, error: str | None = None) -> None:
    """End a running job; one that has ended stays as it is."""
    await connection.execute(Q["end_job"], identity, state, error)


async def list_page(pool: Pool, before: tuple[datetime, UUID] | None, limit: int) -> list[Job]:
    """Return up to `limit` jobs, newest first, before (requested_at, id)."""
    return [_job(row) for row in await pool.fetch(Q["list_jobs"], *(before or (None, None)), limit)]


async def get(pool: Pool, identity: UUID) -> Job | None:
    """Return one job."""
    row = await pool.fetchrow(Q["get_job"], identity)
    return None if row is None else _job(row)


def _job(row: asyncpg.Record) -> Job:
    return Job(**dict(row))
