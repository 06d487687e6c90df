"""Reading the archive: a stream, from a time on, in parts that end by themselves.

A stream's messages are acknowledged as credit only; they stay. https://www.rabbitmq.com/docs/streams#consuming
"""

import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aio_pika.abc import AbstractConnection

from returpost.amqp.connections import CONNECTION_ERRORS
from returpost.amqp.streams import offset_of, open_stream
from returpost.contracts.routing import ARCHIVE
from returpost.errors import Unavailable

QUIET_SECONDS = 3.0
"""A stream says nothing at its end: what stays quiet for so long has been read to the end."""
SLACK = timedelta(minutes=10)
"""A stream is entered at the chunk of a time, and clocks differ a little."""
LATE = timedelta(days=1)
"""Events may come so much later than they were made: their service was cut off from the broker, or down."""


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """One message of the archive: its offset and its events as plain values."""

    offset: int
    routing_key: str
    events: list[dict[str, Any]]
    body: bytes = b""


async def read(
    connection: AbstractConnection,
    *,
    since: datetime,
    offset: int | None,
    containing: bytes | Sequence[bytes] | None = None,
    stream: str = ARCHIVE,
) -> AsyncGenerator[ArchivedMessage, None]:
    """Yield the messages of the archive from an offset, or from a little before a time, to where it ends by then.

    It has ended when it is quiet, or with the last message before the first that came since this began: on a system
    that works it never falls quiet. Only messages with the bytes `containing`, or with any of them, in any case, are
    decoded; the others have no events. Other streams of events are read in the same way. Raises `Unavailable` when
    RabbitMQ goes away: that is not the end.
    """
    needles = (containing,) if isinstance(containing, bytes) else containing
    start = max(since, EPOCH + SLACK) - SLACK  # AMQP knows no time before
    try:
        async with (
            open_stream(connection, "next", stream) as newer,
            open_stream(connection, start if offset is None else offset, stream) as arriving,
        ):
            place, end = offset or 0, None
            while True:
                if end is None and newer.waiting:
                    end = offset_of(await newer.next())
                if end is not None and place >= end:
                    return
                try:
                    message = await arriving.next(QUIET_SECONDS)
                except TimeoutError:
                    return
                await message.ack()
                place = offset_of(message) + 1
                events = _events(message.body) if needles is None or _has_any(message.body, needles) else []
                yield ArchivedMessage(offset_of(message), message.routing_key or "", events, message.body)
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"RabbitMQ went away: {type(error).__name__}") from None


def _has_any(body: bytes, needles: Sequence[bytes]) -> bool:
    lower = body.lower()
    return any(needle in lower for needle in needles)


def _events(body: bytes) -> list[dict[str, Any]]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return []
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
