"""Parts of the stream of blocks, as webhooks carry them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.streams import StreamReader, offset_of, open_stream

FIRST: Final = 10.0
"""Seconds in which the message at a known offset must come; else the stream is another one."""
MAX_PARTS: Final = 100
MAX_BYTES: Final = 256 * 1024
"""Of one message to a receiver; a part of the stream that is larger goes alone."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Part:
    """One message of the stream, of the tenant in question."""

    offset: int
    body: bytes


async def next_parts(arriving: StreamReader, tenant: str) -> list[Part]:
    """Wait for something of a tenant; return it with what else is there, within bounds. Raises `ConnectionError`."""
    parts: list[Part] = []
    size = 0
    while not parts or (arriving.waiting and len(parts) < MAX_PARTS and size < MAX_BYTES):
        message = await arriving.next()
        await message.ack()
        if _is_of(message, tenant):
            parts.append(Part(offset_of(message), message.body))
            size += len(message.body)
    return parts


async def parts_between(connection: Any, tenant: str, first: int, last: int) -> list[Part]:
    """Return what the stream still has of a tenant between two offsets."""
    parts: list[Part] = []
    async with open_stream(connection, first) as arriving:
        try:
            while True:
                message = await arriving.next(FIRST)
                if offset_of(message) <= last and _is_of(message, tenant):
                    parts.append(Part(offset_of(message), message.body))
                if offset_of(message) >= last:
                    return parts
                await message.ack()
        except TimeoutError:
            return parts


async def skip_known(arriving: StreamReader, last_offset: int) -> bool:
    """Take the message that was the last one; return whether the stream goes on from there.

    A stream that was made anew does not reach so far.
    """
    try:
        message = await arriving.next(FIRST)
    except TimeoutError:
        return False
    if offset_of(message) != last_offset:
        log.warning(
            "webhook: the stream let go of parts that were not posted", last_offset=last_offset, next=offset_of(message)
        )
        return False
    await message.ack()
    return True


def events_of(parts: Sequence[Part], since: datetime | None = None) -> list[dict[str, Any]]:
    """Return the events of some parts in their order, but for those from before a time."""
    found: list[dict[str, Any]] = []
    for part in parts:
        read = json.loads(part.body)
        found += read if isinstance(read, list) else [read]
    if since is None:
        return found
    return [one for one in found if "time" not in one or datetime.fromisoformat(one["time"]) >= since]


def body_of(events: Sequence[dict[str, Any]]) -> bytes:
    """Return what is posted: a JSON array of CloudEvents."""
    return json.dumps(events, ensure_ascii=False, separators=(",", ":")).encode()


def _is_of(message: AbstractIncomingMessage, tenant: str) -> bool:
    return (message.routing_key or "").rpartition(".")[2] == tenant
