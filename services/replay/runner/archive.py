"""Replays of the archive. What is sent twice after a crash is recognised by its id."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from returpost.amqp.archive import LATE, ArchivedMessage
from returpost.amqp.publisher import MAX_BYTES, Message, Publishes
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import EVENTS, REPLAY
from services.replay.domain.archive_selection import ArchiveFilter, ArchiveSelection, KeptSelection, time_of
from services.replay.repository import jobs
from services.replay.repository.jobs import Job
from services.replay.runner.whole_archive import WholeArchive
from shared.database.pool import Pool
from shared.messaging.dead_letters import EXCHANGE, REPLAY_PART, ROUTING_KEY

PART_SECONDS = 5.0
"""How long one part reads the archive at most: afterwards progress is written, and a stop is seen."""
MAX_EVENTS = 250
"""Events a message: live ones wait for those in hand."""
MAX_IN_FLIGHT = 1_000
"""Events that the target has not reported yet, before more is sent: enough to keep it busy."""
FORGET_SECONDS = 10.0
"""What is not reported for so long waits in a queue that nobody reads, and holds up no more."""
POLL_SECONDS = 0.005
MAX_PART = 20_000
"""Events a part: a crash sends no more than these again."""

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


@dataclass
class _Target:
    """The queue that a job sends into: no faster than its reader reports, so that live events wait for little."""

    pool: Pool
    publisher: Publishes
    job: UUID
    queue: str
    gathered: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    waiting: int = 0
    sent: int = 0

    def gather(self, key: str, events: list[dict[str, Any]]) -> None:
        """Take events that were published with one routing key."""
        if events:
            self.gathered.setdefault(key, []).extend(events)
            self.waiting += len(events)

    async def publish(self) -> bool:
        """Send what is gathered; tell whether the queue is there."""
        batches = [batch for key, several in self.gathered.items() for batch in _batches(several, key, self.queue)]
        self.gathered.clear()
        if not batches:
            return True
        counts = [len(batch.events) for batch in batches]
        numbers = await jobs.insert_archive_parts(self.pool, self.job, self.queue, counts)
        messages = [batch.message(f"{self.job}/{number}") for batch, number in zip(batches, numbers, strict=True)]
        self.sent, self.waiting = self.sent + self.waiting, 0
        return not await self.publisher.publish(messages)

    async def has_room(self, deadline: float) -> bool:
        """Wait until the reader has little in hand; tell whether that came in time."""
        while await jobs.in_flight(self.pool, self.job, FORGET_SECONDS) > MAX_IN_FLIGHT:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True


async def run_archive_part(
    pool: Pool, publisher: Publishes, archive: WholeArchive, job: Job, keys: Sequence[str]
) -> None:
    """Send the next part of a replay of the archive; end it where no more can come. `keys` are those of the tokens."""
    selection = KeptSelection.model_validate_json(job.selection)
    is_address = selection.address_test(keys)
    size = job.rate or MAX_PART
    target = _Target(pool, publisher, job.id, selection.into)
    offset = job.next_offset
    clock = asyncio.get_running_loop().time
    deadline = clock() + PART_SECONDS
    there = ended = True
    if not await target.has_room(deadline):
        await jobs.advance_archive(pool, job.id, 0, offset, POLL_SECONDS)
        return
    async with aclosing(archive.read(since=selection.since, offset=offset, tenant=selection.tenant)) as messages:
        async for message in messages:
            offset = message.offset + 1
            matching = [one for one in message.events if selection.matches(one, message.routing_key, is_address)]
            target.gather(message.routing_key, matching)
            if is_past(message, selection):
                break
            room = True
            if target.waiting >= MAX_EVENTS:
                there = await target.publish()
                room = there and await target.has_room(deadline)
            if not room or target.sent + target.waiting >= size or clock() > deadline:
                ended = False
                break
    if not (there and await target.publish()):
        await jobs.end(pool, job.id, "failed", f"no such queue: {selection.into}")
        return
    wait = target.sent / job.rate if job.rate else 0.0
    async with pool.acquire() as connection, connection.transaction():
        await jobs.advance_archive(connection, job.id, target.sent, offset, wait)
        if ended:
            await jobs.sent_all(connection, job.id)


def is_past(message: ArchivedMessage, selection: ArchiveFilter) -> bool:
    """Tell whether the archive is read to where nothing more of the selection comes."""
    late = min(selection.until, _MAX - LATE) + LATE
    return any((moment := time_of(event)) and moment > late for event in message.events)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Events that travel in one message."""

    key: str
    queue: str
    events: list[dict[str, Any]]
    body: bytes

    def message(self, part: str) -> Message:
        """Return the message, which its reader reports by the name of the part."""
        return Message(
            REPLAY, self.queue, self.body, BATCHED, {EXCHANGE: EVENTS, ROUTING_KEY: self.key, REPLAY_PART: part}
        )


def _batches(events: list[dict[str, Any]], key: str, queue: str) -> list[_Batch]:
    """Return messages of events that were published with one routing key."""
    # ASCII: half of a surrogate pair, which JSON may name, has no UTF-8.
    body = json.dumps(events).encode()
    if len(events) == 1 or (len(events) <= MAX_EVENTS and len(body) <= MAX_BYTES):
        return [_Batch(key, queue, events, body)]
    half = len(events) // 2
    return _batches(events[:half], key, queue) + _batches(events[half:], key, queue)


async def count_archive(archive: WholeArchive, selection: ArchiveSelection, limit: timedelta) -> ArchiveCount:
    """Count what a replay of the archive would send, for at most `limit`."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + limit.total_seconds()
    events = read = 0
    complete = True
    oldest: datetime | None = None
    newest: datetime | None = None
    is_address, needle = selection.address_test(()), selection.needle()
    reading = archive.read(since=selection.since, offset=None, containing=needle, tenant=selection.tenant)
    async with aclosing(reading) as messages:
        async for message in messages:
            read += 1
            for event in message.events:
                moment = time_of(event)
                if moment is not None and selection.matches(event, message.routing_key, is_address):
                    events += 1
                    oldest, newest = min(oldest or moment, moment), max(newest or moment, moment)
            if is_past(message, selection):
                break
            if clock() > deadline:
                complete = False
                break
    return ArchiveCount(events, read, oldest, newest, complete, selection.into, selection.type)
