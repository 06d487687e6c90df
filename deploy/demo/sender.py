"""The simulated sender at the broker: hands in a mailing's results, and sends again when it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from deploy.demo.simulation import Mailing, answer
from returpost.amqp.connections import CONNECT_TIMEOUT, CONNECTION_ERRORS, close
from returpost.contracts import RetryRequested
from returpost.contracts.cloudevents import BATCHED, decode, encode
from returpost.contracts.routing import COMMANDS, sender_queue
from returpost.errors import InvalidSettings, Unavailable

IN_FLIGHT = 64
"""Messages that wait for their confirm at a time."""
PREFETCH = 50
CONFIRM_TIMEOUT = 60.0


class SimulatedSender:
    """Works in the name of the mailing's sender, with no more rights than a real one has."""

    def __init__(self, mailing: Mailing, channel: AbstractChannel, commands: AbstractExchange) -> None:
        self._mailing = mailing
        self._channel = channel
        self._commands = commands
        self._key = f"delivery.result.{mailing.tenant}.{mailing.sender}"
        self.strangers = 0
        """Commands for recipients that no simulation knows; they are taken and left unanswered."""

    async def hand_in(self, messages: Iterable[bytes], done: Callable[[], None]) -> int:
        """Publish all with confirms, tell of each, and return how many. Raises `Unavailable`."""
        window = asyncio.Semaphore(IN_FLIGHT)
        published = 0

        async def one(body: bytes) -> None:
            try:
                await self._publish(body)
            finally:
                window.release()
            done()

        try:
            async with asyncio.TaskGroup() as group:
                for body in messages:
                    await window.acquire()
                    group.create_task(one(body))
                    published += 1
        except* (AMQPError, OSError, TimeoutError) as errors:
            raise Unavailable(f"RabbitMQ did not confirm: {errors.exceptions[0]}") from None
        return published

    async def obey(self) -> None:
        """Answer retry commands until cancelled."""
        await self._channel.set_qos(prefetch_count=PREFETCH)
        queue = await self._channel.get_queue(sender_queue(self._mailing.sender), ensure=False)
        await queue.consume(self._take)
        await asyncio.Event().wait()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        async with message.process():
            commands, _ = decode(RetryRequested, message.body)
            answers = []
            for command in commands:
                # An earlier simulation that was stopped has left retries behind; those are answered as well.
                mailing = replace(self._mailing, tenant=command.tenant, mailing=command.data.mailing)
                try:
                    answers.append(answer(mailing, command.data, datetime.now(UTC)))
                except InvalidSettings:
                    self.strangers += 1
            if answers:
                await self._publish(encode(answers)[0])

    async def _publish(self, body: bytes) -> None:
        message = aio_pika.Message(body, content_type=BATCHED, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await self._commands.publish(message, self._key, timeout=CONFIRM_TIMEOUT)


@asynccontextmanager
async def simulated_sender(mailing: Mailing, amqp_url: str) -> AsyncIterator[SimulatedSender]:
    """Connect as the sender. Raises `Unavailable`."""
    try:
        connection = await aio_pika.connect(amqp_url, timeout=CONNECT_TIMEOUT)
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"RabbitMQ does not take the sender {mailing.sender}: {error}") from None
    try:
        channel = await connection.channel()
        yield SimulatedSender(mailing, channel, await channel.get_exchange(COMMANDS, ensure=False))
    finally:
        await close(connection)
