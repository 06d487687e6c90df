"""Drains a queue that is paused: its messages become dead letters, to be looked at, exported, replayed or discarded.

So a purge has a backup, and a move keeps what the target refuses.
"""

import contextlib

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from returpost.amqp.connections import open_channel
from returpost.amqp.publisher import Message, Publishes
from returpost.contracts.cloudevents import split
from returpost.errors import InvalidMessage
from shared.messaging.acceptance import origin_of
from shared.messaging.dead_letters import dead_letter

MAX_IN_HAND = 200
"""Messages."""
MAX_DRAIN = 10_000
"""Messages a request."""


async def drain(queue: str, broker: AbstractConnection, publisher: Publishes, reason: str) -> tuple[int, int]:
    """Make a dead letter of each event of up to `MAX_DRAIN` messages, from the head on; return how many of
    both.

    They are published with confirms before the messages leave the queue: a crash in between drains them twice, and
    replay keeps each once. Raises `Unavailable`, one of `CONNECTION_ERRORS`.
    """
    count = number = 0
    async with open_channel(broker) as channel:
        source = await channel.get_queue(queue, ensure=False)
        while count < MAX_DRAIN:
            taken: list[AbstractIncomingMessage] = []
            while len(taken) < MAX_IN_HAND and (message := await source.get(fail=False)) is not None:
                taken.append(message)
            if not taken:
                break
            made = [one for message in taken for one in _dead_letters(queue, message, reason)]
            await publisher.publish(made)
            await taken[-1].ack(multiple=True)
            count, number = count + len(taken), number + len(made)
    return count, number


def _dead_letters(queue: str, message: AbstractIncomingMessage, reason: str) -> list[Message]:
    origin, parts = origin_of(message), [message.body]
    if message.body.lstrip()[:1] == b"[":
        with contextlib.suppress(InvalidMessage):
            parts = list(split(message.body)) or parts
    return [
        dead_letter(
            part, queue=queue, exchange=origin.exchange, routing_key=origin.routing_key, user=origin.user,
            content_type=message.content_type, headers=message.headers, error=reason,
        )
        for part in parts
    ]  # fmt: skip
