"""Retry commands: what a sending system is told to send again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from returpost.amqp.connections import CONNECTION_ERRORS, open_channel, open_connection
from returpost.contracts import RetryRequested
from returpost.contracts.cloudevents import Event, decode
from returpost.contracts.routing import FIRST_ROUTING_KEY, REPLAY, misrouted, routed_elsewhere, sender_queue

PREFETCH: Final = 20
RECONNECT: Final = 2.0

Obey = Callable[[Event[RetryRequested]], Awaitable[None]]
"""Sends a recipient of a mailing again."""


class _Failed(Exception):
    """What `obey` raised, kept apart from what the connection does."""


class RetryConsumer:
    """Follows the retry commands of one sending system, across restarts of RabbitMQ, until cancelled.

    await RetryConsumer(url, "newsletter").follow(send_again)

    A command is taken off the queue when `send_again` has returned: after a crash it comes once more, with the same id.
    """

    def __init__(self, url: str, sender: str = "default") -> None:
        self._url = url
        self._queue = sender_queue(sender)

    async def follow(self, obey: Obey) -> None:
        """Obey commands until cancelled.

        Raises `InvalidSettings` when RabbitMQ refuses the user. What `obey` raises is passed on, and the command goes
        back to the queue.
        """
        while True:
            try:
                await self._follow_once(obey)
            except _Failed as failed:
                raise failed.__cause__ or failed from None
            except CONNECTION_ERRORS:
                await asyncio.sleep(RECONNECT)  # away: what was not acknowledged comes again

    async def _follow_once(self, obey: Obey) -> None:
        async with open_connection(self._url) as connection, open_channel(connection) as channel:
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(self._queue, ensure=False)
            arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
            channel.close_callbacks.add(lambda *_: arrived.put_nowait(None))
            await queue.consume(arrived.put)
            while (message := await arrived.get()) is not None:
                await self._obey(message, obey)

    async def _obey(self, message: AbstractIncomingMessage, obey: Obey) -> None:
        events, _ = decode(RetryRequested, message.body)  # ours are never wrong; of another version none is read
        try:
            for item in events:
                if _is_own(message, item):
                    await obey(item)
        except Exception as error:
            with contextlib.suppress(*CONNECTION_EXCEPTIONS):
                await message.nack(requeue=True)
            raise _Failed from error
        await message.ack()


def _is_own(message: AbstractIncomingMessage, command: Event[RetryRequested]) -> bool:
    """Tell whether a command came by its own routing key: whoever may publish another key can route a message here too,
    which RabbitMQ does not check (https://www.rabbitmq.com/docs/sender-selected)."""
    key = message.headers.get(FIRST_ROUTING_KEY) if message.exchange == REPLAY else message.routing_key
    if routed_elsewhere(message.headers) or not isinstance(key, str):
        return False
    return not misrouted(key, command.type, command.tenant, command.data.sender)
