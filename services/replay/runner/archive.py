"""Replays of the archive. What is sent twice after a crash is recognised by its id."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aio_pika.abc import AbstractConnection

from returpost.amqp import archive
from returpost.amqp.publisher import MAX_BYTES, MAX_EVENTS, Message, Publishes
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import EVENTS, REPLAY
from services.replay.domain.selection import ArchiveSelection, time_of
from services.replay.repository import jobs
from services.replay.repository.jobs import Job
from shared.database.pool import Pool
from shared.messaging.dead_letters import EXCHANGE, ROUTING_KEY

PART_SECONDS = 5.0
"""How long one part reads the archive at most: afterwards progress is written, and a stop is seen."""

_MAX = datetime.max.replace(tzinfo=UTC)


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


async def run_archive_part(pool: Pool, publisher: Publishes, broker: AbstractConnection, job: Job) -> None:
    """Send the next part of a replay of the archive; end it where no more can come."""
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
        await jobs.end(pool, job.id, "failed", f"no such queue: {selection.into}")
        return
    wait = sent / job.rate if job.rate else 0.0
    async with pool.acquire() as connection, connection.transaction():
        await jobs.advance_archive(connection, job.id, sent, offset, wait)
        if ended:
            await jobs.sent_all(connection, job.id)


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
