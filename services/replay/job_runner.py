"""Runs jobs that replay, discard or restore dead letters, or replay the archive; in parts, so that a restart continues.

A dead letter is marked only after RabbitMQ confirmed it. What is sent twice after a crash is recognised by its id.
"""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from aio_pika.abc import AbstractConnection

from returpost.amqp import archive
from returpost.amqp.publisher import MAX_BYTES, MAX_EVENTS, Message, Publishes
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import EVENTS, REPLAY
from services.replay.domain.selection import ArchiveSelection, DeadLetterSelection, time_of
from services.replay.repository import dead_letters, jobs
from services.replay.repository.dead_letters import LockedDeadLetter
from services.replay.repository.jobs import Job
from shared.database.pool import Connection, Pool
from shared.messaging.dead_letters import ATTEMPT, EXCHANGE, ROUTING_KEY, USER
from shared.transient_errors import is_infrastructure

PART = 200
PART_SECONDS = 5.0
"""How long one part reads the archive at most: afterwards progress is written, and a stop is seen."""
IDLE_SECONDS = 0.5
DEAD_LETTER_STATES = {
    "replay": ("dead", "replayed"),
    "discard": ("dead", "discarded"),
    "restore": ("discarded", "dead"),
}
"""The state that a job takes dead letters from, and the one that it leaves them in."""

_MAX = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """What one part of a job did."""

    ended: bool
    sent: int = 0
    missing: tuple[str, ...] = ()
    """Queues that are gone: what came from them stays."""


@dataclass(frozen=True, slots=True)
class ArchiveCount:
    """What a replay of the archive would send."""

    events: int
    messages_read: int
    oldest: datetime | None
    newest: datetime | None
    complete: bool
    into: str
    type: str


async def run_part(pool: Pool, publisher: Publishes, broker: AbstractConnection) -> bool:
    """Do the next part of the oldest job; tells whether there was one. Raises what the infrastructure raises."""
    identity: UUID | None = None
    try:
        async with pool.acquire() as connection, connection.transaction():
            job = await jobs.lock_next(connection)
            if job is None:
                return False
            identity = job.id
            part = _archive_part(connection, publisher, broker, job) if job.kind == "archive" else None
            step = await (part or _dead_letters_part(connection, publisher, job))
            if step.ended:
                await _end(connection, job.id, step.missing)
    except Exception as error:
        if identity is None or is_infrastructure(error):
            raise
        # A job that can never be done must not keep the others waiting.
        log.warning("job failed", job=str(identity), error=type(error).__name__)
        await jobs.end(pool, identity, "failed", f"{type(error).__name__}: {error}")
        return True
    await asyncio.sleep(step.sent / job.rate if job.rate and not step.ended else 0)
    return True


async def _end(connection: Connection, identity: UUID, missing: tuple[str, ...]) -> None:
    if missing:
        error = f"no such queue: {', '.join(missing)}; its dead letters stay"
        await jobs.end(connection, identity, "failed", error)
    else:
        await jobs.end(connection, identity, "finished")


async def _dead_letters_part(connection: Connection, publisher: Publishes, job: Job) -> Step:
    before, after = DEAD_LETTER_STATES[job.kind]
    size = min(PART, job.rate) if job.rate else PART
    missing = job.missing
    replays = job.kind == "replay"
    locked = await dead_letters.lock_selected(
        connection,
        before,
        DeadLetterSelection.model_validate_json(job.selection),
        with_queueless=not replays,
        kept_before=job.begun_at,
        missing=missing,
        limit=size,
    )
    done = locked
    if replays and locked:
        returned = await publisher.publish([_replayed(dead_letter) for dead_letter in locked])
        if gone := {message.routing_key for message in returned}:
            missing = await jobs.add_missing_queues(connection, job.id, sorted(gone))
            done = [dead_letter for dead_letter in locked if dead_letter.queue not in gone]
    await dead_letters.set_state(connection, [dead_letter.id for dead_letter in done], after, job.requested_by)
    await jobs.advance(connection, job.id, len(done))
    return Step(len(locked) < size, len(done), tuple(missing))


def _replayed(dead_letter: LockedDeadLetter) -> Message:
    headers = {
        ATTEMPT: dead_letter.attempt,
        EXCHANGE: dead_letter.exchange,
        ROUTING_KEY: dead_letter.routing_key,
        USER: dead_letter.published_by,
    }
    return Message(REPLAY, dead_letter.queue, dead_letter.body, dead_letter.content_type, headers)


async def _archive_part(connection: Connection, publisher: Publishes, broker: AbstractConnection, job: Job) -> Step:
    selection = ArchiveSelection.model_validate_json(job.selection)
    size = min(MAX_EVENTS, job.rate) if job.rate else MAX_EVENTS
    events: dict[str, list[dict[str, Any]]] = {}
    sent = 0
    offset = job.next_offset
    ended = True
    clock = asyncio.get_running_loop().time
    deadline = clock() + PART_SECONDS
    async with aclosing(archive.read(broker, since=selection.since, offset=offset)) as messages:
        async for message in messages:
            offset = message.offset + 1
            selected = [event for event in message.events if selection.matches(event, message.routing_key)]
            if selected:
                events.setdefault(message.routing_key, []).extend(selected)
                sent += len(selected)
            if _is_past(message, selection):
                break
            if sent >= size or clock() > deadline:
                ended = False
                break
    batches = [batch for key, several in events.items() for batch in _batches(several, key, selection.into)]
    returned = await publisher.publish(batches) if batches else []
    if returned:
        return Step(True, 0, (selection.into,))
    await jobs.advance(connection, job.id, sent, offset)
    return Step(ended, sent)


def _is_past(message: archive.ArchivedMessage, selection: ArchiveSelection) -> bool:
    """Tell whether the archive is read to where nothing more of the selection comes."""
    late = min(selection.until, _MAX - archive.LATE) + archive.LATE
    return any((moment := time_of(event)) and moment > late for event in message.events)


def _batches(events: list[dict[str, Any]], key: str, queue: str) -> list[Message]:
    """Return messages of events that were published with one routing key."""
    # ASCII: half of a surrogate pair, which JSON may name, has no UTF-8.
    body = json.dumps(events).encode()
    if len(events) == 1 or (len(events) <= MAX_EVENTS and len(body) <= MAX_BYTES):
        return [Message(REPLAY, queue, body, BATCHED, {EXCHANGE: EVENTS, ROUTING_KEY: key})]
    half = len(events) // 2
    return _batches(events[:half], key, queue) + _batches(events[half:], key, queue)


async def count_archive(broker: AbstractConnection, selection: ArchiveSelection, limit: timedelta) -> ArchiveCount:
    """Count what a replay of the archive would send, for at most `limit`."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + limit.total_seconds()
    events = read = 0
    complete = True
    oldest: datetime | None = None
    newest: datetime | None = None
    async with aclosing(archive.read(broker, since=selection.since, offset=None)) as messages:
        async for message in messages:
            read += 1
            for event in message.events:
                moment = time_of(event)
                if moment is not None and selection.matches(event, message.routing_key):
                    events += 1
                    oldest, newest = min(oldest or moment, moment), max(newest or moment, moment)
            if _is_past(message, selection):
                break
            if clock() > deadline:
                complete = False
                break
    return ArchiveCount(events, read, oldest, newest, complete, selection.into, selection.type)
