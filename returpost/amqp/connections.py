"""A connection to RabbitMQ is opened, and left, within a bound.

aio-pika's own `close` has none: it waits for callbacks, and for ever for those that were cancelled before they began: a
loop that ends cancels all that there is. aiormq's, one layer below, waits for its own tasks alone.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Final

import aio_pika
from aio_pika import RobustChannel
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ConnectionClosed,
    ProbableAuthenticationError,
)

from returpost.errors import InvalidSettings

CONNECT_TIMEOUT: Final = 10.0
CLOSE_TIMEOUT: Final = 5.0
"""Seconds for a broker to say good-bye; one that is stopped or in alarm never does."""

CONNECTION_ERRORS: Final = (*CONNECTION_EXCEPTIONS, AMQPError, OSError, TimeoutError)
"""What the connection raises when RabbitMQ is away."""

_closing: set[asyncio.Future[None]] = set()
"""What a caller that was cancelled no longer waits for."""


@asynccontextmanager
async def open_connection(url: str) -> AsyncIterator[Any]:
    """Give a connection. Raises `InvalidSettings` for a refused user, else one of `CONNECTION_ERRORS`."""
    try:
        connection = await aio_pika.connect(url, timeout=CONNECT_TIMEOUT)
    except (AuthenticationError, ProbableAuthenticationError):
        raise InvalidSettings("RabbitMQ refuses the user or the password of the URL") from None
    try:
        yield connection
    finally:
        await close(connection)


@asynccontextmanager
async def open_channel(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    """Give a channel. Raises one of `CONNECTION_ERRORS`."""
    channel = connection.channel()
    await channel.initialize()
    try:
        yield channel
    finally:
        if isinstance(channel, RobustChannel):  # closed from beneath, it would open again
            await _bounded(channel.close())
        else:
            await _bounded((await channel.get_underlay_channel()).close(ChannelClosed(0, "left")))


async def close(connection: AbstractConnection) -> None:
    """Close a connection within `LEAVE_TIMEOUT`, whatever the broker does; raises nothing but what cancels."""
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
