"""A stream is read from its first message to its last, however its messages were written."""

import asyncio
from collections.abc import Sequence
from itertools import count

import aio_pika
import pytest

from deploy.rabbitmq.whole_streams import messages_of
from tests.support.harness import Harness

pytestmark = [pytest.mark.anyio, pytest.mark.services]

WRITTEN: Sequence[Sequence[int]] = ((), (1,), (3,), (1, 1, 1), (1_000, 1), (1_000, 5), (1_001,), (700, 700, 2))
"""Messages that are written together, one group after another: each group is a chunk of the stream, or some."""


async def _write(harness: Harness, name: str, groups: Sequence[int]) -> list[bytes]:
    await harness.channel.declare_queue(name, durable=True, arguments={"x-queue-type": "stream"})
    bodies: list[bytes] = []
    number = count()
    for size in groups:
        group = [str(next(number)).encode() for _ in range(size)]
        await asyncio.gather(
            *(harness.channel.default_exchange.publish(aio_pika.Message(body), name) for body in group)
        )
        bodies += group
    return bodies


async def _read(harness: Harness, name: str) -> list[bytes]:
    return [message.body async for message in messages_of(harness.broker, name)]


async def test_all_is_read_in_order_whatever_was_written_together(harness: Harness) -> None:
    names = [f"stream-{number}" for number in range(len(WRITTEN))]
    written = [await _write(harness, *one) for one in zip(names, WRITTEN, strict=True)]
    assert await asyncio.gather(*(_read(harness, name) for name in names)) == written
