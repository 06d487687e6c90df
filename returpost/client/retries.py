"""Commands to a sending system: what to send again, and which mailings to pause and to resume."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, Final

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from returpost.amqp.connections import CONNECTION_ERRORS, open_channel, open_connection
from returpost.contracts import Contract, MailingPause, MailingResume, RetryRequested
from returpost.contracts.cloudevents import Event, decode
from returpost.contracts.routing import (
    FIRST_ROUTING_KEY,
    REPLAY,
    misrouted,
    routed_elsewhere,
    sender_mailing_queue,
    sender_queue,
)
from returpost.errors import InvalidSettings

PREFETCH: Final = 20
RECONNECT: Final = 2.0

Obey = Callable[[Event[RetryRequested]], Awaitable[None]]
"""Sends a recipient of a mailing again."""
Pause = Callable[[Event[MailingPause]], Awaitable[None]]
"""Sends no more of a mailing."""
Resume = Callable[[Event[MailingResume]], Awaitable[None]]
"""Goes on with a mailing."""
_Handlers = Mapping[type[Contract], Callable[[Any], Awaitable[None]]]
_Arrived = tuple[int, int, str, AbstractIncomingMessage | None]
"""Rank, number, queue and message: a closed channel first, then pauses, then retries."""
_CLOSED: Final[_Arrived] = (0, -1, "", None)
_MAILINGS, _RETRIES = 1, 2


class _Failed(Exception):
    """What a handler raised, kept apart from what the connection does."""


class RetryConsumer:
    """Follows the commands to one sending system, across restarts of RabbitMQ, until cancelled.

    await RetryConsumer(url, "newsletter").follow(send_again, pause=stop, resume=go_on)

    A command is taken off its queue when its handler has returned: after a crash it comes once more, with the same id.
    """

    def __init__(self, url: str, sender: str = "default") -> None:
        self._url = url
        self._sender = sender

    async def follow(self, obey: Obey, *, pause: Pause | None = None, resume: Resume | None = None) -> None:
        """Obey commands until cancelled, one at a time, those about mailings before retries.

        Without `pause` and `resume` commands about mailings stay in their queue; one without the other is a
        `TypeError`. Raises `InvalidSettings` when RabbitMQ refuses the user, or knows no such sender. What a handler
        raises is passed on, and the command goes back to its queue.
        """
        if (pause is None) is not (resume is None):
            raise TypeError("follow: pause and resume, or neither")
        queues: dict[str, _Handlers] = {sender_queue(self._sender): {RetryRequested: obey}}
        if pause is not None and resume is not None:
            queues[sender_mailing_queue(self._sender)] = {MailingPause: pause, MailingResume: resume}
        while True:
            try:
                await self._follow_once(queues)
            except _Failed as failed:
                raise failed.__cause__ or failed from None
            except CONNECTION_ERRORS:
                await asyncio.sleep(RECONNECT)  # away: what was not acknowledged comes again

    async def _follow_once(self, queues: Mapping[str, _Handlers]) -> None:
        async with open_connection(self._url) as connection, open_channel(connection) as channel:
            await channel.set_qos(prefetch_count=PREFETCH)
            arrived = asyncio.PriorityQueue[_Arrived]()
            channel.close_callbacks.add(lambda *_: arrived.put_nowait(_CLOSED))
            numbers = count()

            async def arrive(message: AbstractIncomingMessage, queue: str) -> None:
                rank = _RETRIES if queue == sender_queue(self._sender) else _MAILINGS
                await arrived.put((rank, next(numbers), queue, message))

            for name in queues:
                queue = await channel.get_queue(name, ensure=False)
                try:
                    await queue.consume(partial(arrive, queue=name))
                except ChannelAccessRefused as error:
                    raise InvalidSettings(f"RabbitMQ does not let this user read {name}: {error}") from None
                except ChannelNotFoundEntity:
                    raise InvalidSettings(
                        f"there is no queue {name}: declare the sender by `returpost topology apply --senders`"
                    ) from None
            while True:
                _, _, name, message = await arrived.get()
                if message is None:
                    return
                await _obey(message, queues[name])


async def _obey(message: AbstractIncomingMessage, handlers: _Handlers) -> None:
    try:
        for contract, handle in handlers.items():
            events, _ = decode(contract, message.body)  # ours are never wrong; of another version none is read
            for item in events:
                if _is_own(message, item):
                    await handle(item)
    except Exception as error:
        with contextlib.suppress(*CONNECTION_EXCEPTIONS):
            await message.nack(requeue=True)
        raise _Failed from error
    await message.ack()


def _is_own(message: AbstractIncomingMessage, command: Event[Any]) -> bool:
    """Tell whether a command came by its own routing key: whoever may publish another key can route a message here too,
    which RabbitMQ does not check (https://www.rabbitmq.com/docs/sender-selected)."""
    key = message.headers.get(FIRST_ROUTING_KEY) if message.exchange == REPLAY else message.routing_key
    if routed_elsewhere(message.headers) or not isinstance(key, str):
        return False
    return not misrouted(key, command.type, command.tenant, command.data.sender)
