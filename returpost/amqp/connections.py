"""A connection to RabbitMQ is opened, and left, within a bound.

aio-pika's own `close` has none: it waits for callbacks, and for ever for those that were cancelled before they began: a
loop that ends cancels all that there is. aiormq's, one layer below, waits for its own tasks alone.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import aiormq.abc
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ChannelInvalidStateError,
    ConnectionClosed,
    ProbableAuthenticationError,
)

from returpost.errors import InvalidSettings

CONNECT_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 5.0
"""Seconds for a broker to say good-bye; one that is stopped or in alarm never does."""

CONNECTION_ERRORS: Final = (*CONNECTION_EXCEPTIONS, AMQPError, OSError, TimeoutError)
"""What the connection raises when RabbitMQ is away."""

HEARTBEAT: Final = 10
"""Seconds; a peer that is silent for two is taken for dead. 5 to 20 are advised:
https://www.rabbitmq.com/docs/heartbeats#heartbeats-timeout"""

_closing: set[asyncio.Future[None]] = set()
"""What a caller that was cancelled no longer waits for."""


def urls_of(url: str) -> list[str]:
    """Return one URL a host of `amqp://user:password@a:5672,b:5672/vhost?heartbeat=10`, in the order given.

    Raises `InvalidSettings` when it is no AMQP URL; its words never hold the password.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps"):
        raise InvalidSettings("the URL of RabbitMQ must begin with amqp:// or amqps://")
    user, at, hosts = parts.netloc.rpartition("@")
    urls = [urlunsplit(parts._replace(netloc=f"{user}{at}{host.strip()}")) for host in hosts.split(",")]
    for one in urls:
        try:
            named = urlsplit(one).hostname
            _ = urlsplit(one).port
        except ValueError:
            named = None
        if not named:
            raise InvalidSettings("the URL of RabbitMQ must be amqp://user:password@host:port,host:port/vhost")
    return urls


class Connection(aio_pika.Connection):
    """One that was never opened is closed at once: aio-pika would ask for a close when it is thrown away, and nobody
    awaits it."""

    async def connect(self, timeout: aio_pika.abc.TimeoutType = None) -> None:  # noqa: ASYNC109 - aio-pika's own
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()  # without a transport this only notes it
            raise


async def connect(url: str, name: str = "returpost") -> Any:
    """Open a connection to the first host that answers, in random order: many clients spread over a cluster.

    `name` is what the broker shows. Raises `InvalidSettings` for a URL that is none or a refused user, else one of
    `CONNECTION_ERRORS` when no host answers.
    """
    urls = urls_of(url)
    random.shuffle(urls)
    for left, one in reversed(list(enumerate(reversed(urls)))):
        try:
            return await aio_pika.connect(
                one, timeout=CONNECT_TIMEOUT, heartbeat=HEARTBEAT, client_properties={"connection_name": name},
                connection_class=Connection,
            )  # fmt: skip
        except (AuthenticationError, ProbableAuthenticationError):
            raise InvalidSettings("RabbitMQ refuses the user or the password of the URL") from None
        except CONNECTION_ERRORS:
            if not left:
                raise
    raise AssertionError("a URL names at least one host")


async def is_blocked(connection: aiormq.abc.AbstractConnection) -> bool:
    """Tell whether the broker has said that it takes no messages of this connection: a memory or disk alarm.

    It says so at the first message after the alarm: https://www.rabbitmq.com/docs/connection-blocked
    """
    try:
        async with asyncio.timeout(0):
            await connection.ready()
    except TimeoutError:
        return True
    return False


@asynccontextmanager
async def open_connection(url: str) -> AsyncIterator[Any]:
    """Give a connection. Raises `InvalidSettings` for a refused user, else one of `CONNECTION_ERRORS`."""
    connection = await connect(url)
    try:
        yield connection
    finally:
        await close(connection)


@asynccontextmanager
async def open_channel(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    """Give a channel. Raises one of `CONNECTION_ERRORS`."""
    async with asyncio.timeout(CONNECT_TIMEOUT):
        channel = connection.channel()
        await channel.initialize()
    try:
        yield channel
    finally:
        await _bounded((await channel.get_underlay_channel()).close(ChannelClosed(0, "left")))


async def close(connection: AbstractConnection) -> None:
    """Close a connection within `CLOSE_TIMEOUT`, whatever the broker does; raises nothing but what cancels."""
    transport, connection.transport = connection.transport, None
    await connection.close()  # without a transport this only notes it
    if transport is not None:
        await _bounded(transport.connection.close(ConnectionClosed(0, "left")))


async def _bounded(close: Awaitable[None]) -> None:
    """Wait until it is closed, in a task of its own: that one ends when it is cancelled, and we when we are."""
    closing = asyncio.ensure_future(close)
    _closing.add(closing)
    closing.add_done_callback(_forget)
    await asyncio.wait((closing,), timeout=CLOSE_TIMEOUT)
    if not closing.done():
        closing.cancel()


def _forget(closing: asyncio.Future[None]) -> None:
    _closing.discard(closing)
    if not closing.cancelled():
        closing.exception()  # it is gone either way


def has_closed(message: AbstractIncomingMessage) -> bool:
    """Tell whether the channel that a message came by has closed: the message has gone back to its queue."""
    try:
        return bool(message.channel.is_closed)
    except ChannelInvalidStateError:  # aio-pika gives no channel that is closed
        return True
