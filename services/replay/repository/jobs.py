"""Jobs: what operators asked for, how far it is, and what came of each dead letter in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from services.replay.domain.archive_selection import KeptSelection
from services.replay.domain.batching import Part
from services.replay.domain.selection import DeadLetterSelection
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("jobs.sql"))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What an operator asked for."""

    id: UUID
    kind: str
    selection: DeadLetterSelection | KeptSelection
    by: str
    tenant: str | None = None
    """Of the operator; none: of all tenants."""
    why: str = ""
    rate: int = 0
    total: int = 0
    into: str | None = None
    canary: int = 0
    slow_start: bool = False
    stop_after: int | None = None


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
    tenant: str | None
    why: str
    into_queue: str | None
    canary: int
    slow_start: bool
    stop_after: int | None
    position: int
    parts: int
    stage: int
    pending: int
    processed: int
    failed: int
    skipped: int
    next_at: datetime


@dataclass(frozen=True, slots=True)
class PartKey:
    """A part of a job."""

    job: UUID
    part: int


async def insert(connection: Connection, request: JobRequest) -> bool:
    """Insert a job, which the runner picks up; tell whether it is new."""
    r = request
    values = (r.rate, r.total, r.tenant, r.why, r.into, r.canary, r.slow_start, r.stop_after)
    selection = r.selection.stored() if isinstance(r.selection, DeadLetterSelection) else r.selection
    row = await connection.fetchrow(Q["insert_job"], r.id, r.kind, selection.model_dump_json(), r.by, *values)
    return row is not None


async def set_total(connection: Connection, identity: UUID, total: int) -> None:
    """Note how many a job has to do."""
    await connection.execute(Q["set_total"], identity, total)


async def lock_next(connection: Connection) -> Job | None:
    """Lock and return a job of which the next part is due, and that no other process has."""
    for row in await connection.fetch(Q["due_jobs"]):
        if await connection.fetchval(Q["try_lock"], str(row["id"])):
            found = await connection.fetchrow(Q["running_job"], row["id"])
            if found is not None:
                return _job(found)
    return None


async def lock_segments(connection: Connection) -> bool:
    """Lock the folder of the archive's segments until the transaction ends; tell whether nobody else has."""
    return bool(await connection.fetchval(Q["try_lock"], "segments"))


async def advance_archive(
    connection: Connection | Pool, identity: UUID, done: int, offset: int | None, wait: float
) -> None:
    """Add to what is done, note where an archive job continues, and in how many seconds."""
    await connection.execute(Q["advance_archive"], identity, done, offset, wait)


async def take(connection: Connection, job: UUID, parts: Sequence[Part], skipped: Sequence[int]) -> None:
    """Note what a job has taken: the parts that it is about to send, and what it cannot."""
    rows = [(m.position, part.number, m.digest, "pending") for part in parts for m in part.members]
    rows += [(position, None, None, "skipped") for position in skipped]  # type: ignore[misc]
    await connection.execute(Q["take_part"], job, *columns(rows, 4))
    await connection.execute(Q["insert_parts"], job, *columns([(part.number, part.queue) for part in parts], 2))


async def mark_done(connection: Connection, job: UUID, done: Sequence[int], skipped: Sequence[int]) -> None:
    """Note what became of members that are not sent: discarded, restored, or in another state by then."""
    rows = [(position, None, None, "done") for position in done]
    rows += [(position, None, None, "skipped") for position in skipped]
    await connection.execute(Q["take_part"], job, *columns(rows, 4))


async def advance(
    connection: Connection,
    identity: UUID,
    position: int,
    *,
    parts: int = 0,
    pending: int = 0,
    skipped: int = 0,
    done: int = 0,
    stage: int,
    wait: float,
) -> None:
    """Note how far a job has come, and that it goes on in `wait` seconds."""
    await connection.execute(Q["advance"], identity, position, parts, pending, skipped, done, stage, wait)


async def parts_sent(connection: Connection | Pool, job: UUID, parts: Sequence[int]) -> None:
    """Note that RabbitMQ has confirmed parts."""
    await connection.execute(Q["parts_sent"], job, parts)


async def unroutable(connection: Connection | Pool, job: UUID, parts: Sequence[int], queues: Sequence[str]) -> None:
    """Note that no queue took parts: their dead letters are as they were."""
    await connection.execute(Q["unroutable"], job, parts, queues)


async def part_digests(connection: Connection, keys: Sequence[PartKey]) -> dict[PartKey, set[str]]:
    """Return the digests of the members of parts."""
    rows = await connection.fetch(Q["part_digests"], *columns([(key.job, key.part) for key in keys], 2))
    return {PartKey(row["job"], row["part"]): set(row["digests"]) for row in rows}


async def end_parts(
    connection: Connection, members: Sequence[tuple[PartKey, str | None]], state: str
) -> dict[UUID, int]:
    """Give the pending members of parts a state, those of a digest or all; return how many by job."""
    rows = [(key.job, key.part, digest) for key, digest in members]
    found = await connection.fetch(Q["end_parts"], *columns(rows, 3), state)
    return {row["job"]: row["number"] for row in found}


async def insert_archive_parts(pool: Pool, job: UUID, queue: str, events: Sequence[int]) -> list[int]:
    """Note the messages that a replay of the archive is about to send, of so many events each; return their numbers."""
    rows = await pool.fetch(Q["insert_archive_parts"], job, queue, events)
    return [row["part"] for row in rows]


async def end_archive_parts(connection: Connection, failed: Mapping[PartKey, int]) -> None:
    """Count what became of parts of the archive that were heard of, with how many of each failed."""
    rows = [(key.job, key.part, number) for key, number in failed.items()]
    await connection.execute(Q["end_archive_parts"], *columns(rows, 3))


async def in_flight(pool: Pool, job: UUID, seconds: float) -> int:
    """Return how many events that were sent in the last `seconds` nobody has reported yet."""
    number: int = await pool.fetchval(Q["in_flight"], job, seconds)
    return number


async def note_outcomes(connection: Connection, keys: Sequence[PartKey]) -> None:
    """Note when parts were heard of."""
    await connection.execute(Q["part_outcomes"], *columns([(key.job, key.part) for key in keys], 2))


async def count_outcomes(
    connection: Connection, job: UUID, *, processed: int = 0, failed: int = 0, delivered: int = 0
) -> None:
    """Add to what a job knows; it pauses when too many failed again, and ends when nothing is pending any more.

    `delivered` are those of which nobody reports more.
    """
    await connection.execute(Q["count_outcomes"], job, processed, failed, delivered)


async def sent_all(connection: Connection, identity: UUID) -> None:
    """End a job that has sent all, or let it wait for what is pending."""
    await connection.execute(Q["sent_all"], identity)


async def end(connection: Connection | Pool, identity: UUID, state: str, error: str | None = None) -> None:
    """End a job; one that has ended stays as it is."""
    await connection.execute(Q["end_job"], identity, state, error)


async def pause(pool: Pool, identity: UUID) -> None:
    """Pause a running job."""
    await pool.execute(Q["pause_job"], identity)


async def resume(pool: Pool, identity: UUID) -> None:
    """Let a paused job go on."""
    await pool.execute(Q["resume_job"], identity)


async def count_paused(pool: Pool) -> int:
    """Return how many jobs are paused."""
    number: int = await pool.fetchval(Q["count_paused"])
    return number


async def list_page(
    pool: Pool, before: tuple[datetime, UUID] | None, limit: int, tenant: str | None = None
) -> list[Job]:
    """Return up to `limit` jobs of a tenant's operators, or all, newest first, before (requested_at, id)."""
    return [_job(row) for row in await pool.fetch(Q["list_jobs"], *(before or (None, None)), limit, tenant)]


async def get(connection: Connection | Pool, identity: UUID, tenant: str | None = None) -> Job | None:
    """Return one job of a tenant's operators, or any."""
    row = await connection.fetchrow(Q["get_job"], identity, tenant)
    return None if row is None else _job(row)


def _job(row: asyncpg.Record) -> Job:
    return Job(**dict(row))
