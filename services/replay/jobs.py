"""Jobs: letters replayed, discarded or restored, and the archive replayed, part by part; a restart goes on.

A letter is marked only after RabbitMQ confirmed it. What is sent twice after a crash is recognised by its id.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aio_pika.abc import AbstractConnection

from services.replay import archive
from services.replay.letters import Q
from services.replay.selection import Archive, Letters, time_of
from shared.cloudevents import BATCHED
from shared.database import Connection, Pool
from shared.deadletters import ATTEMPT
from shared.outbox import publish_or_bury
from shared.publisher import MAX_EVENTS, Message, Publishes
from shared.topology import REPLAY

PART = 200
IDLE_SECONDS = 0.5
LETTER_STATES = {"replay": ("dead", "replayed"), "discard": ("dead", "discarded"), "restore": ("discarded", "dead")}
"""The state that a job takes letters from, and the one that it leaves them in."""


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
    async with pool.acquire() as connection, connection.transaction():
        job = await connection.fetchrow(Q["take_job"])
        if job is None:
            return False
        try:
            if job["kind"] == "archive":
                done, pause = await _archive_part(connection, publisher, broker, job)
            else:
                done, pause = await _letters_part(connection, publisher, job)
        except ValueError as error:
            await connection.execute(Q["end_job"], job["id"], "failed", str(error))
            return True
    await asyncio.sleep(pause if not done else 0)
    return True


async def _letters_part(connection: Connection, publisher: Publishes, job: Any) -> tuple[bool, float]:
    before, after = LETTER_STATES[job["kind"]]
    selection = Letters.model_validate_json(job["selection"])
    size = min(PART, job["rate"]) if job["rate"] else PART
    letters = await connection.fetch(Q["take_letters"], before, *selection.arguments(), job["kind"] != "replay", size)
    if job["kind"] == "replay":
        await publish_or_bury(publisher, [_again(letter) for letter in letters])
    await connection.execute(Q["mark_letters"], [letter["id"] for letter in letters], after, job["requested_by"])
    await connection.execute(Q["move_job"], job["id"], len(letters), None)
    if len(letters) < size:
        await connection.execute(Q["end_job"], job["id"], "finished", None)
        return True, 0
    return False, 1.0 if job["rate"] else 0.0


def _again(letter: Any) -> Message:
    return Message(REPLAY, letter["queue"], letter["body"], letter["content_type"], {ATTEMPT: letter["attempt"]})


async def _archive_part(
    connection: Connection, publisher: Publishes, broker: AbstractConnection, job: Any
) -> tuple[bool, float]:
    selection = Archive.model_validate_json(job["selection"])
    size = min(MAX_EVENTS, job["rate"]) if job["rate"] else MAX_EVENTS
    wanted: list[dict[str, Any]] = []
    position: int | None = job["position"]
    ended = True
    async for message in archive.read(broker, since=selection.since, offset=position):
        position = message.offset + 1
        wanted += [event for event in message.events if selection.wants(event)]
        if any((moment := time_of(event)) and moment > selection.until + archive.SLACK for event in message.events):
            break
        if len(wanted) >= size:
            ended = False
            break
    parts = [wanted[start : start + MAX_EVENTS] for start in range(0, len(wanted), MAX_EVENTS)]
    await publish_or_bury(publisher, [_batch(part, selection.into) for part in parts])
    await connection.execute(Q["move_job"], job["id"], len(wanted), position)
    if ended:
        await connection.execute(Q["end_job"], job["id"], "finished", None)
    return ended, 1.0 if job["rate"] else 0.0


def _batch(events: list[dict[str, Any]], queue: str) -> Message:
    return Message(REPLAY, queue, json.dumps(events, ensure_ascii=False).encode(), BATCHED)


async def count(broker: AbstractConnection, selection: Archive, patience: timedelta) -> dict[str, Any]:
    """Count what a replay of the archive would send, for as long as the patience lasts."""
    started = asyncio.get_running_loop().time()
    events = messages = 0
    complete = True
    oldest = newest = None
    async for message in archive.read(broker, since=selection.since, offset=None):
        messages += 1
        for event in message.events:
            if selection.wants(event):
                events += 1
                oldest, newest = oldest or event["time"], event["time"]
        if any((moment := time_of(event)) and moment > selection.until + archive.SLACK for event in message.events):
            break
        if asyncio.get_running_loop().time() - started > patience.total_seconds():
            complete = False
            break
    return {
        "events": events, "messages_read": messages, "oldest": oldest, "newest": newest,
        "complete": complete, "into": selection.into, "type": selection.type,
    }  # fmt: skip
