"""Writes segments before the stream loses its oldest messages, and removes those that are older than they are kept."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import structlog

from returpost.amqp.archive import EPOCH
from services.replay.domain.archive_selection import time_of
from services.replay.domain.erased_events import erasures_in
from services.replay.domain.segment import Stored, events_of
from services.replay.repository import jobs
from services.replay.runner.whole_archive import WholeArchive
from shared.database.pool import Pool

MAX_MESSAGES = 10_000
MAX_BYTES = 16_000_000
"""Of a segment, before it is packed: a reader holds one at a time."""
FULL_AFTER = timedelta(hours=1)
"""A segment is written when it is full, or when its first event is so old."""

log = structlog.get_logger()


async def write_segment(pool: Pool, archive: WholeArchive, keep: timedelta) -> bool:
    """Write the next segment if it is due; tell whether it was. One process at a time does.

    Raises `Unavailable`, `OSError`.
    """
    assert archive.segments is not None  # noqa: S101 - without a folder nobody asks
    segments = archive.segments
    async with pool.acquire() as connection, connection.transaction():
        if not await jobs.lock_segments(connection):
            return False
        messages = await _next(archive)
        if not messages:
            return False
        await asyncio.to_thread(segments.write, messages, erasures_in(messages))
        purged = await asyncio.to_thread(segments.purge, datetime.now(UTC) - keep)
    log.info("segment written", first=messages[0].offset, messages=len(messages), purged=purged)
    return True


async def _next(archive: WholeArchive) -> list[Stored]:
    """Return the messages after the last segment, when they are enough."""
    assert archive.segments is not None  # noqa: S101 - see above
    listed = await asyncio.to_thread(archive.segments.listed)
    reading = archive.after(listed[-1].header) if listed else archive.read(since=EPOCH, offset=None)
    messages: list[Stored] = []
    size, first = 0, None
    async with aclosing(reading) as arriving:
        async for one in arriving:
            messages.append(Stored(one.offset, one.routing_key, one.body))
            first = first or next((moment for event in events_of(one.body) if (moment := time_of(event))), None)
            size += len(one.body)
            if len(messages) >= MAX_MESSAGES or size >= MAX_BYTES:
                return messages
    return messages if first is not None and first <= datetime.now(UTC) - FULL_AFTER else []
