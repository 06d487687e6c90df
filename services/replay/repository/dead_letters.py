"""Dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from services.replay.domain.dead_letter import DeadLetter
from services.replay.domain.selection import DeadLetterSelection
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("dead_letters.sql"))


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A dead letter without its body."""

    id: UUID
    failed_at: datetime
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    attempt: int
    error: str
    fingerprint: str
    content_type: str
    bytes: int
    state: str
    changed_at: datetime | None
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter with its body."""

    id: UUID
    failed_at: datetime
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    attempt: int
    error: str
    stack: str
    fingerprint: str
    content_type: str
    body: bytes
    state: str
    kept_at: datetime
    changed_at: datetime | None
    changed_by: str | None


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Dead letters of one queue that failed alike."""

    fingerprint: str
    queue: str
    count: int
    first: datetime
    last: datetime
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class SelectedGroup:
    """Selected dead letters of one queue that failed alike."""

    queue: str
    fingerprint: str
    count: int
    error: str


@dataclass(frozen=True, slots=True)
class LockedDeadLetter:
    """What a job needs to send a dead letter again."""

    id: UUID
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    attempt: int
    content_type: str
    body: bytes


async def insert(connection: Connection, dead_letters: Mapping[str, DeadLetter]) -> None:
    """Keep dead letters by their id; one that has come and failed since it was settled is dead again."""
    rows = [
        (
            UUID(identity), d.failed_at, d.queue, d.exchange, d.routing_key, d.attempt, d.error, d.stack,
            d.fingerprint, d.content_type, d.body, d.published_by,
        )
        for identity, d in dead_letters.items()
    ]  # fmt: skip
    await connection.execute(Q["insert_dead_letters"], *columns(rows, 12))


async def group(pool: Pool, state: str) -> list[FailureGroup]:
    """Return up to 500 groups of dead letters in one state, largest first."""
    return [FailureGroup(**dict(row)) for row in await pool.fetch(Q["group_dead_letters"], state)]


async def list_page(
    pool: Pool, state: str, selection: DeadLetterSelection, before: tuple[datetime, UUID] | None, limit: int
) -> list[DeadLetterRow]:
    """Return up to `limit` dead letters, newest first, before (failed_at, id)."""
    arguments = (state, *_conditions(selection), *(before or (None, None)), limit)
    return [DeadLetterRow(**dict(row)) for row in await pool.fetch(Q["list_dead_letters"], *arguments)]


async def count_selected(pool: Pool, state: str, selection: DeadLetterSelection) -> list[SelectedGroup]:
    """Count the selected dead letters in one state by queue and failure."""
    rows = await pool.fetch(Q["count_selected"], state, *_conditions(selection))
    return [SelectedGroup(**dict(row)) for row in rows]


async def lock_selected(
    connection: Connection,
    state: str,
    selection: DeadLetterSelection,
    *,
    with_queueless: bool,
    kept_before: datetime,
    missing: Sequence[str],
    limit: int,
) -> list[LockedDeadLetter]:
    """Lock the next selected dead letters that were kept before a time, except those of missing queues."""
    rows = await connection.fetch(
        Q["lock_selected"], state, *_conditions(selection), with_queueless, kept_before, missing, limit
    )
    return [LockedDeadLetter(**dict(row)) for row in rows]


async def set_state(connection: Connection, ids: Sequence[UUID], state: str, by: str) -> None:
    """Set the state of dead letters, and who changed it."""
    await connection.execute(Q["set_state"], ids, state, by)


async def get(pool: Pool, identity: UUID) -> StoredDeadLetter | None:
    """Return one dead letter."""
    row = await pool.fetchrow(Q["get_dead_letter"], identity)
    return None if row is None else StoredDeadLetter(**dict(row))


async def purge(pool: Pool, before: datetime) -> None:
    """Delete what was kept or changed before a time."""
    await pool.execute(Q["purge_dead_letters"], before)


def _conditions(selection: DeadLetterSelection) -> tuple[object, ...]:
    return selection.queue, selection.fingerprint, selection.since, selection.until, selection.ids
