"""What queues and streams say of one address: they are read from end to end, and left as they are."""

import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.connections import CONNECTION_ERRORS, open_channel, open_connection
from returpost.amqp.streams import offset_of, open_stream
from returpost.errors import Unavailable
from shared.database.compressed_search import says
from shared.messaging.topology import queues, streams

STREAMS: Final = streams()
QUIET: Final = 2.0
"""Seconds without a message after which a stream has no more."""
PEEKED: Final = 1_000
"""Messages of a queue that are looked at: they count as delivered once more each time."""


@dataclass(slots=True)
class Said:
    """Messages of one queue or stream that say the address."""

    place: str
    searched: int = 0
    messages: int = 0
    oldest: str | None = None
    newest: str | None = None

    def note(self, message: AbstractIncomingMessage, forms: Sequence[str], tenant: str) -> None:
        """Look at one message."""
        self.searched += 1
        if _is_of(message, tenant) and says(message.body, forms):
            self.messages += 1
            self.newest = _time_of(message.body) or self.newest
            self.oldest = self.oldest or self.newest


async def search(url: str, tenant: str, forms: Sequence[str], senders: Iterable[str]) -> list[Said]:
    """Read all streams, and what waits in queues. Raises `Unavailable`, `InvalidSettings`."""
    try:
        async with open_connection(url) as connection:
            found = [await _stream(connection, name, tenant, forms) for name in STREAMS]
            others = [queue.name for queue in queues(senders) if queue.name not in STREAMS]
            return found + [await _queue(connection, name, tenant, forms) for name in others]
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"RabbitMQ went away: {type(error).__name__}") from None


async def _stream(connection: Any, name: str, tenant: str, forms: Sequence[str]) -> Said:
    said, end = Said(name), -1
    async with aclosing(_messages(connection, name, "last")) as messages:
        async for message in messages:
            end = offset_of(message)
            if end % PEEKED == 0:  # it is being written to faster than we read: far enough
                break
    if end >= 0:
        async with aclosing(_messages(connection, name, "first")) as messages:
            async for message in messages:
                said.note(message, forms, tenant)
                if offset_of(message) >= end:
                    break
    return said


async def _messages(connection: Any, name: str, since: Any) -> AsyncGenerator[AbstractIncomingMessage, None]:
    async with open_stream(connection, since, name) as arriving:
        while True:
            try:
                message = await arriving.next(QUIET)
            except TimeoutError:
                return
            await message.ack()
            yield message


async def _queue(connection: Any, name: str, tenant: str, forms: Sequence[str]) -> Said:
    said = Said(name)
    async with open_channel(connection) as channel:  # what is not acknowledged goes back when it closes
        queue = await channel.get_queue(name, ensure=False)
        while said.searched < PEEKED and (message := await queue.get(fail=False)) is not None:
            said.note(message, forms, tenant)
    return said


def _is_of(message: AbstractIncomingMessage, tenant: str) -> bool:
    parts = (message.routing_key or "").split(".")
    return len(parts) < 3 or parts[2] == tenant


def _time_of(body: bytes) -> str | None:
    """Return when the first event of a message was made, if it says so."""
    try:
        found = json.loads(body)
        first = found[0] if isinstance(found, list) else found
        return str(first["time"])
    except (ValueError, LookupError, TypeError):
        return None
