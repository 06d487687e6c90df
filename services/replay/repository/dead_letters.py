"""Dead letters: kept once, grouped, searched, and taken by jobs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from services.replay.domain.batching import Part, ToSend
from services.replay.domain.dead_letter import DeadLetter
from services.replay.domain.event_facts import read_facts
from services.replay.domain.selection import DeadLetterSelection
from services.replay.repository.rows import (
    DeadLetterDetails,
    DeadLetterRow,
    DrainedRow,
    FailureGroup,
    LinkedRow,
    PlanRow,
)
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries
from shared.messaging.replay_outcome import digest

_FILE = queries(Path(__file__).with_name("dead_letters.sql"))
Q = {name: sql.replace("{conditions}", _FILE["conditions"]) for name, sql in _FILE.items()}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose dead letters, and in which state; none: all."""

    tenant: str | None = None
    state: str | None = None


async def insert(connection: Connection, dead_letters: Mapping[str, DeadLetter]) -> None:
    """Keep dead letters by their id, with what their bytes say of themselves, linked to those that they came of.

    One that has come and failed since it was settled is dead again.
    """
    rows = [_row(UUID(identity), one) for identity, one in dead_letters.items()]
    await connection.execute(Q["insert_dead_letters"], *columns(rows, 23))


async def new_fingerprints(connection: Connection, fingerprints: Sequence[str]) -> list[str]:
    """Return which of these failures no dead letter has that is dead."""
    return [row["fingerprint"] for row in await connection.fetch(Q["new_fingerprints"], fingerprints)]


def _row(identity: UUID, d: DeadLetter) -> tuple[Any, ...]:
    facts = read_facts(d.body, d.queue, d.exchange, d.routing_key)
    job, part = _split(d.replay_part)
    return (
        identity, d.failed_at, d.queue, d.exchange, d.routing_key, d.attempt, d.error, d.error_type, d.stack,
        d.fingerprint, d.content_type, d.release, json.dumps(d.headers), d.body, facts.event_type, facts.event_id,
        facts.tenant, facts.mailing, facts.obstacle, job, part, digest(d.body), d.published_by,
    )  # fmt: skip


def _split(replay_part: str) -> tuple[UUID | None, int | None]:
    job, _, part = replay_part.partition("/")
    try:
        return UUID(job), min(int(part), 2**31 - 1)
    except ValueError:
        return None, None


async def group(
    pool: Pool, scope: Scope, selection: DeadLetterSelection, by: Sequence[str], notes_of: str
) -> list[FailureGroup]:
    """Return up to 500 groups by these fields, largest first, with the notes of a scope."""
    rows = await pool.fetch(Q["group_dead_letters"], *_conditions(scope, selection), by, notes_of)
    return [FailureGroup(**dict(row)) for row in rows]


async def list_page(
    pool: Pool, scope: Scope, selection: DeadLetterSelection, before: int | None, limit: int
) -> list[DeadLetterRow]:
    """Return up to `limit` dead letters, the latest arrivals first, before a number."""
    rows = await pool.fetch(Q["list_dead_letters"], *_conditions(scope, selection), before, limit)
    return [DeadLetterRow(**dict(row)) for row in rows]


async def of_events(pool: Pool, events: Sequence[str], tenant: str | None) -> list[DeadLetterRow]:
    """Return up to 1,000 dead letters of events by their ids, of a tenant or of all."""
    return [DeadLetterRow(**dict(row)) for row in await pool.fetch(Q["dead_letters_of_events"], events, tenant)]


async def count(pool: Pool, scope: Scope, selection: DeadLetterSelection) -> int:
    """Return how many dead letters there are of a selection."""
    number: int = await pool.fetchval(Q["count_dead_letters"], *_conditions(scope, selection))
    return number


async def plan(pool: Pool, scope: Scope, selection: DeadLetterSelection) -> list[PlanRow]:
    """Count a selection by queue and failure, by tenant, and by queue, type, way of publishing and obstacle."""
    rows = await pool.fetch(Q["plan_dead_letters"], *_conditions(scope, selection))
    return [PlanRow(**dict(row)) for row in rows]


async def sample(pool: Pool, scope: Scope, selection: DeadLetterSelection) -> list[UUID]:
    """Return the ids of some of a selection."""
    return [row["id"] for row in await pool.fetch(Q["sample_dead_letters"], *_conditions(scope, selection))]


async def freeze(
    connection: Connection,
    job: UUID,
    scope: Scope,
    selection: DeadLetterSelection,
    *,
    obstacles: Sequence[str] | None,
    kinds: Sequence[tuple[str, str, str]] | None,
) -> int:
    """Make a selection the set of a job, without those that have another obstacle, or are none of the `kinds` (type,
    exchange, routing key); return how many.
    """
    conditions = _conditions(scope, selection)
    types, exchanges, keys = columns(kinds, 3) if kinds is not None else (None, None, None)
    status: str = await connection.execute(Q["freeze"], *conditions, job, obstacles, types, exchanges, keys)
    return int(status.rpartition(" ")[2])


async def take(connection: Connection, job: UUID, after: int, count: int, state: str) -> list[ToSend]:
    """Lock the next `count` of a job's set that are in a state; the others are left out."""
    return [_to_send(row) for row in await connection.fetch(Q["take"], job, after, count, state)]


async def unsent(connection: Connection, job: UUID) -> tuple[list[Part], list[int]]:
    """Return the parts that were taken and perhaps not sent, and those of them that were heard of all the same."""
    found: dict[int, list[ToSend]] = {}
    targets: dict[int, str] = {}
    heard: set[int] = set()
    for row in await connection.fetch(Q["unsent"], job):
        found.setdefault(row["part"], []).append(_to_send(row))
        targets[row["part"]] = row["target"]
        if row["heard_of"]:
            heard.add(row["part"])
    parts = [Part(number, targets[number], tuple(members)) for number, members in found.items() if number not in heard]
    return parts, sorted(heard)


async def drained(
    pool: Pool, queue: str, fingerprint: str, after: tuple[datetime, int] | None, limit: int
) -> list[DrainedRow]:
    """Return up to `limit` of what was drained from a queue, in its order, behind a time and number."""
    rows = await pool.fetch(Q["drained"], queue, fingerprint, *(after or (None, None)), limit)
    return [DrainedRow(**{**dict(row), "headers": json.loads(row["headers"])}) for row in rows]


async def set_state(connection: Connection, ids: Sequence[UUID], state: str, by: str) -> None:
    """Set the state of dead letters, and who changed it."""
    await connection.execute(Q["set_state"], ids, state, by)


async def get(pool: Pool, identity: UUID, tenant: str | None) -> DeadLetterDetails | None:
    """Return one dead letter of a tenant, or of any, without its body."""
    row = await pool.fetchrow(Q["get_dead_letter"], identity, tenant)
    return None if row is None else DeadLetterDetails(**{**dict(row), "headers": json.loads(row["headers"])})


async def get_body(pool: Pool, identity: UUID, tenant: str | None) -> bytes | None:
    """Return the bytes of one dead letter of a tenant, or of any."""
    body: bytes | None = await pool.fetchval(Q["get_body"], identity, tenant)
    return body


async def bodies(pool: Pool, identities: Sequence[UUID]) -> dict[UUID, bytes]:
    """Return the bytes of some dead letters."""
    return {row["id"]: row["body"] for row in await pool.fetch(Q["get_bodies"], identities)}


async def replace_by(connection: Connection, original: UUID, edited: UUID, by: str) -> bool:
    """Let an edited dead letter take the place of one; tell whether that was still dead."""
    return await connection.fetchval(Q["replace_by"], original, edited, by) is not None


async def history(pool: Pool, identity: UUID) -> list[LinkedRow]:
    """Return all dead letters that one is linked with, the first failure first."""
    return [LinkedRow(**dict(row)) for row in await pool.fetch(Q["history"], identity)]


async def count_by_state(pool: Pool) -> dict[str, int]:
    """Return how many dead letters there are in each state."""
    return {row["state"]: row["count"] for row in await pool.fetch(Q["count_by_state"])}


async def purge(pool: Pool, before: datetime) -> None:
    """Delete what was kept or changed before a time."""
    await pool.execute(Q["purge_dead_letters"], before)


def _to_send(row: asyncpg.Record) -> ToSend:
    names = (
        "position",
        "id",
        "queue",
        "exchange",
        "routing_key",
        "published_by",
        "attempt",
        "content_type",
        "event_type",
        "event_id",
        "headers",
        "body",
    )
    return ToSend(**{name: row[name] for name in names}, digest=digest(row["body"]))


def _conditions(scope: Scope, s: DeadLetterSelection) -> tuple[object, ...]:
    return (
        scope.state, scope.tenant, s.queue, s.fingerprint, s.error_type, s.type, s.tenant, s.mailing, s.event,
        s.release, s.text, s.since, s.until, s.ids, s.job,
    )  # fmt: skip
