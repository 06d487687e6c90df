"""Streams as a whole: which there are, and all that one holds; nothing is taken away."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.streams import offset_of, open_stream
from shared.messaging.topology import streams

STREAMS: Final = streams()
QUIET: Final = 2.0
"""Seconds without a message after which a stream has no more."""
FAR_ENOUGH: Final = 10_000
"""Messages after which the end of a stream is taken as found: it is written to meanwhile."""


async def messages_of(connection: Any, name: str) -> AsyncGenerator[AbstractIncomingMessage, None]:
    """Yield what the stream holds from its first message to the one that is its last now."""
    end, seen = -1, 0
    async with aclosing(_from(connection, name, "last")) as last:
        async for message in last:
            end, seen = max(end, offset_of(message)), seen + 1
            if seen == FAR_ENOUGH:
                break
    if end < 0:
        return
    async with aclosing(_from(connection, name, "first")) as messages:
        async for message in messages:
            yield message
            if offset_of(message) >= end:
                return


async def _from(connection: Any, name: str, since: Any) -> AsyncGenerator[AbstractIncomingMessage, None]:
    async with open_stream(connection, since, name) as arriving:
        while True:
            try:
                message = await arriving.next(QUIET)
            except TimeoutError:
                return
            await message.ack()
            yield message
