"""Reading a stream: a connection, a place to begin at, and the messages from there on in their order."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.exceptions import ChannelAccessRefused

from returpost.amqp.connections import open_channel
from returpost.contracts.routing import BLOCKS
from returpost.errors import InvalidSettings

PREFETCH: Final = 200
OPEN_TIMEOUT: Final = 30.0
"""Seconds until RabbitMQ sends a stream from a place on; one that has just begun is without a leader for a while."""

Since: TypeAlias = Literal["first", "last", "next"] | int | datetime
"""Where to begin: with the first event that is kept, with the last ones, with what comes from now on, at the offset of
a part, or at a time (and somewhat before it: RabbitMQ keeps the time of whole chunks).
https://www.rabbitmq.com/docs/streams#consuming"""
WORDS: Final = ("first", "last", "next")
"""Any other word makes RabbitMQ close the connection, each time anew."""


class StreamReader:
    """The messages of one consumer, in their order."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Note one message."""
        self._arrived.put_nowait(message)

    def close(self, *_: Any) -> None:
        """Note that no more will come."""
        self._arrived.put_nowait(None)

    @property
    def waiting(self) -> bool:
        """Whether there is one that nobody has taken."""
        return not self._arrived.empty()

    async def next(self, patience: float | None = None) -> AbstractIncomingMessage:
        """Return the next message. Raises `ConnectionError` when the channel has closed, `TimeoutError`."""
        async with asyncio.timeout(patience):
            message = await self._arrived.get()
        if message is None:
            self._arrived.put_nowait(None)
            raise ConnectionError("the channel has closed")
        return message


@asynccontextmanager
async def open_stream(connection: AbstractConnection, since: Since, name: str = BLOCKS) -> AsyncIterator[StreamReader]:
    """Give what arrives from a place of the stream on; whatever is published from then on will arrive.

    Raises `InvalidSettings` when there is no such place or stream or the user may not read it, else one of
    `CONNECTION_ERRORS`.
    """
    if isinstance(since, str) and since not in WORDS:
        raise InvalidSettings(f"since: {since!r}; an offset, a time, or {', '.join(WORDS)}")
    arriving = StreamReader()
    try:
        async with open_channel(connection) as channel:
            channel.close_callbacks.add(arriving.close)
            stream = await channel.get_queue(name, ensure=False)
            async with asyncio.timeout(OPEN_TIMEOUT):
                await channel.set_qos(prefetch_count=PREFETCH)
                await stream.consume(arriving.take, arguments={"x-stream-offset": since})
            yield arriving
    except ChannelAccessRefused as error:
        raise InvalidSettings(f"RabbitMQ does not let this user read {name}: {error}") from None
    except ChannelNotFoundEntity:
        raise InvalidSettings(f"there is no {name}: has `returpost topology apply` been run?") from None
    finally:
        del arriving
        gc.collect()  # a closed channel is a cycle that holds the messages that it had sent ahead


def offset_of(message: AbstractIncomingMessage) -> int:
    """Return the place of a message in the stream."""
    offset = message.headers["x-stream-offset"]
    assert isinstance(offset, int)  # noqa: S101 - a stream always gives it
    return offset
