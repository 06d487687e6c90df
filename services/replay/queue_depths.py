"""How many messages wait in queues, and whether they are there at all."""

from collections.abc import Sequence

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from returpost.amqp.connections import open_channel


async def depths(connection: AbstractConnection, queues: Sequence[str]) -> dict[str, int | None]:
    """Return the number of messages that wait by queue; none where there is no such queue.

    Raises what the connection raises when RabbitMQ is away.
    """
    return {queue: await _depth(connection, queue) for queue in queues}


async def _depth(connection: AbstractConnection, queue: str) -> int | None:
    try:
        async with open_channel(connection) as channel:  # one each: a queue that is not there closes its channel
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0
    except ChannelNotFoundEntity:
        return None
