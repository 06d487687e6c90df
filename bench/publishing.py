"""Publishing as a fast sender does: confirms, with a bounded number of messages in flight."""

import asyncio
from collections.abc import Callable, Sequence

import aio_pika

IN_FLIGHT = 100


async def publish(
    url: str, exchange: str, key: str, bodies: Sequence[bytes], advance: Callable[[int], None] = lambda _: None
) -> None:
    """Publish all bodies and wait for their confirms."""
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        target = await channel.get_exchange(exchange, ensure=False)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        for body in bodies:
            queue.put_nowait(body)

        async def sender() -> None:
            while not queue.empty():
                message = aio_pika.Message(
                    queue.get_nowait(),
                    content_type="application/cloudevents-batch+json",
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                await target.publish(message, key)
                advance(1)

        await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
