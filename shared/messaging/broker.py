"""The connections of a service to RabbitMQ: opened again whenever they are lost, host after host.

Two of them: in an alarm the broker stops reading from connections that publish, and consuming must not stop with them
(https://www.rabbitmq.com/docs/alarms#effects-on-clusters). Whoever has a channel opens it anew on the next connection;
nothing is restored behind anybody's back.
"""

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aio_pika.abc import AbstractConnection

from returpost.amqp.connections import CONNECTION_ERRORS, close, connect, is_blocked, open_channel
from returpost.amqp.publisher import Message, Publisher
from returpost.amqp.tasks import cancel_and_wait
from returpost.errors import InvalidSettings, Unavailable

PATIENCE = 2.0
"""Seconds that a caller waits for a connection that is being opened again, before it hears that there is none."""
BACK_OFF = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries, with jitter of a half; the last one repeats."""

log = structlog.get_logger()


def back_off(tries: int) -> float:
    """Return how many seconds to wait after so many tries: services that lost one broker do not come back as one."""
    return BACK_OFF[min(tries, len(BACK_OFF) - 1)] * random.uniform(0.5, 1.5)  # noqa: S311


class Link:
    """One connection that is opened again whenever it is lost."""

    def __init__(self, url: str, name: str) -> None:
        """`url` may name several hosts (`returpost.amqp.connections.urls_of`)."""
        self._url = url
        self._name = name
        self._connection: AbstractConnection | None = None
        self._opened = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to open it."""
        self._task = asyncio.create_task(self._keep(), name=self._name)

    async def stop(self) -> None:
        """Close it within a bound."""
        if self._task is not None:
            await cancel_and_wait(self._task)
        if self._connection is not None:
            await close(self._connection)

    @property
    def open(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None and not _lost(self._connection)

    async def connection(self, patience: float | None = PATIENCE) -> AbstractConnection:
        """Return the connection; waits `patience` seconds for one. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(patience):
                while self._connection is None or _lost(self._connection):
                    self._opened.clear()  # the channels of a connection hear of its end first, and ask again at once
                    await self._opened.wait()
                return self._connection
        except TimeoutError:
            raise Unavailable("RabbitMQ does not answer") from None

    async def _keep(self) -> None:
        tries = 0
        while True:
            try:
                self._connection = connection = await connect(self._url, self._name)
            except (*CONNECTION_ERRORS, InvalidSettings) as error:
                if tries % 10 == 0:
                    log.warning("waiting for RabbitMQ", connection=self._name, error=type(error).__name__)
                await asyncio.sleep(back_off(tries))
                tries += 1
                continue
            lost = asyncio.Event()
            connection.close_callbacks.add(lambda *_, lost=lost: lost.set())
            if not connection.connected.is_set():  # it went before anybody listened
                lost.set()
            self._opened.set()
            if tries:
                log.info("RabbitMQ answers again", connection=self._name)
            await lost.wait()
            self._connection = None
            del connection
            gc.collect()  # its channels are cycles that hold the messages that were on their way
            tries = 0


def _lost(connection: AbstractConnection) -> bool:
    return connection.transport is None or connection.transport.connection.is_closed


class Broker:
    """RabbitMQ as a service sees it: a connection to consume from, another to publish on, and how both are."""

    def __init__(self, url: str, name: str) -> None:
        self.consuming = Link(url, name)
        self.publishing = Link(url, f"{name} publishing")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Broker"]:
        """Keep both open until the block ends."""
        self.consuming.start()
        self.publishing.start()
        try:
            yield self
        finally:
            await asyncio.gather(self.consuming.stop(), self.publishing.stop())

    async def state(self) -> str:
        """Return `ok`, or what is wrong."""
        if not (self.consuming.open and self.publishing.open):
            return "away"
        transport = (await self.publishing.connection()).transport
        if transport is not None and await is_blocked(transport.connection):
            return "takes no messages: memory or disk alarm"
        return "ok"

    async def depths(self, queues: Sequence[str]) -> Mapping[str, int]:
        """Return how many messages wait in each queue; without those that the broker does not tell.

        Asks on a channel of its own: a question that is cut short closes its channel. Raises `Unavailable`, one of
        `CONNECTION_ERRORS`.
        """
        found = {}
        async with open_channel(await self.consuming.connection(0)) as channel:
            for queue in queues:
                declared = await channel.declare_queue(queue, passive=True)
                found[queue] = declared.declaration_result.message_count or 0
        return found


class BrokerPublisher:
    """Publishes with confirms on one channel, opened anew when it has closed. A `Publishes`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._opening = asyncio.Lock()
        self._current: tuple[Any, Publisher] | None = None

    async def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Publish all, wait for the confirms, return those that no queue wanted. Raises `Unavailable`."""
        return await (await self._open()).publish(messages)

    async def _open(self) -> Publisher:
        current = self._current
        if current is not None and not current[0].is_closed:
            return current[1]
        async with self._opening:
            if self._current is not None and not self._current[0].is_closed:
                return self._current[1]
            connection = await self._link.connection()
            try:
                async with asyncio.timeout(PATIENCE):
                    channel = await connection.channel(on_return_raises=True)
            except CONNECTION_ERRORS as error:
                raise Unavailable(f"RabbitMQ opens no channel: {type(error).__name__}") from None
            self._current = channel, Publisher(channel)
            return self._current[1]
