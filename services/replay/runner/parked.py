"""Dead letters that could not be kept: put aside by the consumer, and taken again once the cause is mended."""

from aio_pika.abc import AbstractConnection

from returpost.amqp.connections import open_channel
from returpost.amqp.publisher import Message, Publishes
from returpost.contracts.routing import DEAD, PARKED
from shared.messaging.dead_letters import PARKED_FOR

MAX_AT_ONCE = 1_000


async def unpark(broker: AbstractConnection, publisher: Publishes) -> int:
    """Send up to `MAX_AT_ONCE` parked dead letters to where they came from; return how many.

    Each is published with a confirm before it leaves its queue: a crash in between sends it twice, and it is kept once.
    """
    count = 0
    async with open_channel(broker) as channel:
        queue = await channel.get_queue(PARKED, ensure=False)
        while count < MAX_AT_ONCE and (message := await queue.get(fail=False)) is not None:
            headers = {name: value for name, value in message.headers.items() if name != PARKED_FOR}
            await publisher.publish([Message(DEAD, "", message.body, message.content_type or "", headers)])
            await message.ack()
            count += 1
    return count
