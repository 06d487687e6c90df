"""What queues and streams say of one address: they are read from end to end, and left as they are."""

import json
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.rabbitmq.whole_streams import STREAMS, messages_of
from returpost.amqp.connections import CONNECTION_ERRORS, open_channel, open_connection
from returpost.errors import Unavailable
from services.replay.runner.segments import Segments
from shared.database.compressed_search import says
from shared.messaging.topology import queues

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

    def note(self, routing_key: str, body: bytes, forms: Sequence[str], tenant: str) -> None:
        """Look at one message."""
        self.searched += 1
        if _is_of(routing_key, tenant) and says(body, forms):
            self.messages += 1
            self.newest = _time_of(body) or self.newest
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


def search_files(folder: Path, tenant: str, forms: Sequence[str]) -> Said:
    """Read the files of the archive. Raises `Unavailable` for one that is damaged."""
    said, segments = Said("files of the archive"), Segments(folder)
    for segment in segments.listed():
        for message in segments.read(segment):
            said.note(message.routing_key, message.body, forms, tenant)
    return said


async def _stream(connection: Any, name: str, tenant: str, forms: Sequence[str]) -> Said:
    said = Said(name)
    async with aclosing(messages_of(connection, name)) as messages:
        async for message in messages:
            said.note(message.routing_key or "", message.body, forms, tenant)
    return said


async def _queue(connection: Any, name: str, tenant: str, forms: Sequence[str]) -> Said:
    said = Said(name)
    async with open_channel(connection) as channel:  # what is not acknowledged goes back when it closes
        queue = await channel.get_queue(name, ensure=False)
        while said.searched < PEEKED and (message := await queue.get(fail=False)) is not None:
            said.note(message.routing_key or "", message.body, forms, tenant)
    return said


def _is_of(routing_key: str, tenant: str) -> bool:
    parts = routing_key.split(".")
    return len(parts) < 3 or parts[2] == tenant


def _time_of(body: bytes) -> str | None:
    """Return when the first event of a message was made, if it says so."""
    try:
        found = json.loads(body)
        first = found[0] if isinstance(found, list) else found
        return str(first["time"])
    except (ValueError, LookupError, TypeError):
        return None
