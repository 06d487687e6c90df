"""A message that processes die of, by a crash or for want of memory, becomes a dead letter, and the queue goes on.

A quorum queue counts how often it has delivered a message in vain, but for all that were prefetched
(https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling). So whoever starts takes what was in hand at two
deaths alone, one message of all queues at a time: at a third death it was the only one. Its events go to the dead
letters one by one, and replay sends each once more by itself: what was innocent, or lost its connection several times
instead, is processed then, and what kills by itself stays a dead letter. Now and then one death counts as two: what a
dead consumer gives back goes to another of the same process, before that is known to be dead.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.connections import CONNECTION_ERRORS, open_channel
from returpost.contracts.routing import DEAD_LETTERS
from returpost.errors import Unavailable
from shared.messaging.broker import Link
from shared.messaging.consumer import Consumer
from shared.messaging.dead_letters import attempt_of
from shared.messaging.subscriber import BatchSubscriber

SUSPECT: Final = 2
"""Deaths after which a message is taken alone."""
QUARANTINED: Final = 3
"""Deaths after which it is a dead letter."""
COUNTS: Final = ("x-delivery-count", "x-acquired-count")
"""Headers of a message that was delivered before: RabbitMQ, and from 4.2 on how often it was handed out at all."""

log = structlog.get_logger()


async def start_all(subscribers: Iterable[BatchSubscriber], link: Link) -> None:
    """Start to consume; first, what processes may have died of is taken alone, queue after queue."""
    subscribers = list(subscribers)
    for subscriber in subscribers:
        # A dead letter that may be deadly is left to whoever looks at it: its own dead letter would be parked.
        if subscriber.consumer.queue != DEAD_LETTERS and subscriber.pause is None:
            try:
                await _try_suspects(subscriber.consumer, link)
            except (Unavailable, *CONNECTION_ERRORS) as error:
                log.warning("suspects were not looked for", queue=subscriber.consumer.queue, error=type(error).__name__)
    await asyncio.gather(*(subscriber.start(link) for subscriber in subscribers))


async def _try_suspects(consumer: Consumer[Any], link: Link) -> None:
    """Take messages from the head of the queue one by one, until one is no suspect."""
    async with open_channel(await link.connection()) as channel:
        queue = await channel.get_queue(consumer.queue, ensure=False)
        while (message := await queue.get(fail=False)) is not None:
            deaths = deaths_of(message)
            if deaths >= QUARANTINED:
                log.error("message quarantined: processes died of it", queue=consumer.queue, deaths=deaths)
            await consumer.take_alone(message, quarantine=deaths >= QUARANTINED)
            if deaths < SUSPECT:
                return


def deaths_of(message: AbstractIncomingMessage) -> int:
    """Return at how many deaths of processes a message may have been in hand; one more when it was a dead letter."""
    counts = [value for name in COUNTS if isinstance(value := message.headers.get(name), int)]
    return max(0, *counts, 0) + min(1, attempt_of(message.headers))
