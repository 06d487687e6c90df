"""Jobs: letters replayed, discarded or restored, and the archive replayed, part by part; a restart goes on.

A letter is marked only after RabbitMQ confirmed it. What is sent twice after a crash is recognised by its id.
"""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from aio_pika.abc import AbstractConnection

from returpost.amqp.publisher import MAX_BYTES, MAX_EVENTS, Message, Publishes
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import REPLAY
from services.replay import archive
from services.replay.letters import Q
from services.replay.selection import Archive, Letters, time_of
from shared.database.pool import Connection, Pool
from shared.messaging.dead_letters import ATTEMPT
from shared.transient_errors import is_infrastructure

PART = 200
PART_SECONDS = 5.0
"""How long one part reads the archive at most: then it is told how far the job is, and whether to stop."""
IDLE_SECONDS = 0.5
LETTER_STATES = {"replay": ("dead", "replayed"), "discard": ("dead", "discarded"), "restore": ("discarded", "dead")}
"""The state that a job takes letters from, and the one that it leaves them in."""

_MAX = datetime.max.replace(tzinfo=UTC)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """What one part of a job did."""

    ended: bool
    sent: int = 0
    missing: tuple[str, ...] = ()
    """Queues that are gone: what came from them stays."""


async def begin(
    connection: Connection, kind: str, selection: Letters | Archive, *, by: str, total: int, rate: int
) -> UUID:
    """Write a new job, which the runner takes up; return its id."""
    identity = uuid4()
    await connection.execute(
        Q["begin_job"], identity, kind, selection.model_dump_json(), by, datetime.now(UTC), rate, total, None
    )
    return identity


async def run_part(pool: Pool, publisher: Publishes, broker: AbstractConnection) -> bool:
    """Do the next part of the oldest job; tells whether there was one. Raises what the infrastructure raises."""
    identity: UUID | None = None
    try:
        async with pool.acquire() as connection, connection.transaction():
            job = await connection.fetchrow(Q["take_job"])
            if job is None:
                return False
            identity = job["id"]
            part = _archive_part(connection, publisher, broker, job) if job["kind"] == "archive" else None
            step = await (part or _letters_part(connection, publisher, job))
            if step.ended:
                await _end(connection, job["id"], step.missing)
    except Exception as error:
        if identity is None or is_infrastructure(error):
            raise
        # A job that can never be done must not keep the others waiting.
        log.warning("job failed", job=str(identity), error=type(error).__name__)
        await pool.execute(Q["end_job"], identity, "failed", f"{type(error).__name__}: {error}")
        return True
    await asyncio.sleep(step.sent / job["rate"] if job["rate"] and not step.ended else 0)
    return True


async def _end(connection: Connection, identity: UUID, missing: tuple[str, ...]) -> None:
    if missing:
        error = f"no such queue: {', '.join(missing)}; the letters that came from there stay dead"
        await connection.execute(Q["end_job"], identity, "failed", error)
    else:
        await connection.execute(Q["end_job"], identity, "finished", None)


async def _letters_part(connection: Connection, publisher: Publishes, job: Any) -> Step:
    before, after = LETTER_STATES[job["kind"]]
    selection = Letters.model_validate_json(job["selection"])
    size = min(PART, job["rate"]) if job["rate"] else PART
    missing: list[str] = job["missing"]
    replays = job["kind"] == "replay"
    letters = await connection.fetch(
        Q["take_letters"], before, *selection.arguments(), not replays, job["begun_at"], missing, size
    )
    done = letters
    if replays and letters:
        messages = [_again(letter) for letter in letters]
        gone = {message.routing_key for message in await publisher.publish(messages)}
        if gone:
            missing = await connection.fetchval(Q["miss_queues"], job["id"], sorted(gone))
            done = [letter for letter in letters if letter["queue"] not in gone]
    await connection.execute(Q["mark_letters"], [letter["id"] for letter in done], after, job["requested_by"])
    await connection.execute(Q["move_job"], job["id"], len(done), None)
    return Step(len(letters) < size, len(done), tuple(missing))


def _again(letter: Any) -> Message:
    return Message(REPLAY, letter["queue"], letter["body"], letter["content_type"], {ATTEMPT: letter["attempt"]})


async def _archive_part(connection: Connection, publisher: Publishes, broker: AbstractConnection, job: Any) -> Step:
    selection = Archive.model_validate_json(job["selection"])
    size = min(MAX_EVENTS, job["rate"]) if job["rate"] else MAX_EVENTS
    wanted: list[dict[str, Any]] = []
    position: int | None = job["position"]
    ended = True
    clock = asyncio.get_running_loop().time
    deadline = clock() + PART_SECONDS
    async with aclosing(archive.read(broker, since=selection.since, offset=position)) as messages:
        async for message in messages:
            position = message.offset + 1
            wanted += [event for event in message.events if selection.wants(event, message.routing_key)]
            if _is_past(message, selection):
                break
            if len(wanted) >= size or clock() > deadline:
                ended = False
                break
    gone = await publisher.publish(_batches(wanted, selection.into)) if wanted else []
    if gone:
        return Step(True, 0, (selection.into,))
    await connection.execute(Q["move_job"], job["id"], len(wanted), position)
    return Step(ended, len(wanted))


def _is_past(message: archive.Archived, selection: Archive) -> bool:
    """Tell whether the archive is read to where nothing more of the selection comes."""
    late = min(selection.until, _MAX - archive.LATE) + archive.LATE
    return any((moment := time_of(event)) and moment > late for event in message.events)


def _batches(events: list[dict[str, Any]], queue: str) -> list[Message]:
    # ASCII: half of a surrogate pair, which JSON may name, has no UTF-8.
    body = json.dumps(events).encode()
    if len(events) == 1 or (len(events) <= MAX_EVENTS and len(body) <= MAX_BYTES):
        return [Message(REPLAY, queue, body, BATCHED)]
    half = len(events) // 2
    return _batches(events[:half], queue) + _batches(events[half:], queue)


async def count(broker: AbstractConnection, selection: Archive, patience: timedelta) -> dict[str, Any]:
    """Count what a replay of the archive would send, for as long as the patience lasts."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience.total_seconds()
    events = read = 0
    complete = True
    oldest: datetime | None = None
    newest: datetime | None = None
    async with aclosing(archive.read(broker, since=selection.since, offset=None)) as messages:
        async for message in messages:
            read += 1
            for event in message.events:
                moment = time_of(event)
                if moment is not None and selection.wants(event, message.routing_key):
                    events += 1
                    oldest, newest = min(oldest or moment, moment), max(newest or moment, moment)
            if _is_past(message, selection):
                break
            if clock() > deadline:
                complete = False
                break
    return {
        "events": events, "messages_read": read, "oldest": oldest, "newest": newest,
        "complete": complete, "into": selection.into, "type": selection.type,
    }  # fmt: skip
