"""Reading the archive: a stream, from a time on, in parts that end by themselves.

A stream's messages are acknowledged as credit only; they stay. https://www.rabbitmq.com/docs/streams#consuming
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from shared.topology import ARCHIVE

PREFETCH = 200
QUIET_SECONDS = 3.0
"""A stream says nothing at its end: what stays quiet for so long has been read to the end."""
SLACK = timedelta(minutes=10)
"""A stream is entered at the chunk of a time, and clocks differ a little."""
LATE = timedelta(days=1)
"""Events may come so much later than they were made: their service was cut off from the broker, or down."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Archived:
    """One message of the archive: its offset and its events as plain values."""

    offset: int
    routing_key: str
    events: list[dict[str, Any]]


async def read(
    connection: AbstractConnection, *, since: datetime, offset: int | None
) -> AsyncGenerator[Archived, None]:
    """Yield the messages of the archive from an offset, or from a little before a time, until it falls quiet."""
    arrivals: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
    async with connection.channel() as channel:
        await channel.set_qos(prefetch_count=PREFETCH)
        start = max(since, EPOCH + SLACK) - SLACK  # AMQP knows no time before
        await _consume(channel, arrivals, start if offset is None else offset)
        while True:
            try:
                message = await asyncio.wait_for(arrivals.get(), QUIET_SECONDS)
            except TimeoutError:
                return
            await message.ack()
            at = message.headers.get("x-stream-offset")
            yield Archived(at if isinstance(at, int) else 0, message.routing_key or "", _events(message.body))


async def _consume(
    channel: AbstractChannel, arrivals: asyncio.Queue[AbstractIncomingMessage], start: datetime | int
) -> None:
    queue = await channel.declare_queue(ARCHIVE, passive=True)
    await queue.consume(arrivals.put, arguments={"x-stream-offset": start})


def _events(body: bytes) -> list[dict[str, Any]]:
    try:
        value = json.loads(body)
    except ValueError:
        return []
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
