"""The streams that are read from wherever a reader wants to begin: every block, lift and erasure since the first; and
what became of contacts and lists."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    AMQPError,
    AuthenticationError,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ChannelAccessRefused

from shared.cloudevents import Event, decode
from shared.contracts import (
    AddressBlocked,
    AddressCorrected,
    AddressErased,
    AddressUnblocked,
    AddressValidated,
    ContactChanged,
    Contract,
    OperationFinished,
    ProjectChanged,
    SelectionChanged,
    StormBegun,
    StormEnded,
)
from shared.errors import InvalidSettings
from shared.topology import BLOCKS, CHANGES

PREFETCH: Final = 200
RECONNECT: Final = 2.0
CONNECT_TIMEOUT: Final = 10.0

Since: TypeAlias = Literal["first", "last", "next"] | int | datetime
"""Where to begin: with the first event that is kept, with the last ones, with what comes from now on, at the offset of
a part, or at a time (and somewhat before it: RabbitMQ keeps the time of whole chunks).
https://www.rabbitmq.com/docs/streams#consuming"""
BlockEvent: TypeAlias = Event[AddressBlocked] | Event[AddressUnblocked] | Event[AddressErased]
ChangeEvent: TypeAlias = (
    Event[ContactChanged]
    | Event[SelectionChanged]
    | Event[ProjectChanged]
    | Event[AddressCorrected]
    | Event[AddressValidated]
    | Event[StormBegun]
    | Event[StormEnded]
    | Event[OperationFinished]
)
E_co = TypeVar("E_co", covariant=True)
AWAY: Final = (*CONNECTION_EXCEPTIONS, AMQPError, OSError, TimeoutError)
"""What the connection raises when RabbitMQ is away."""


@dataclass(frozen=True, slots=True)
class Part(Generic[E_co]):
    """One message of a stream."""

    offset: int
    """Its place; whoever begins again begins with the one after the last that was worked off."""
    events: tuple[E_co, ...]


class _Stream(Generic[E_co]):
    """Reads a stream, of one tenant or of all, across restarts of RabbitMQ."""

    NAME: ClassVar[str]
    CONTRACTS: ClassVar[dict[str, type[Contract]]]
    """What is read, by `<noun>.<verb>`."""

    def __init__(self, url: str, tenant: str | None = None) -> None:
        self._url = url
        self._tenant = tenant

    async def read(self, since: Since = "first") -> AsyncIterator[Part[E_co]]:
        """Yield what there is and what comes, until the reader leaves; a part without events of the tenant too.

        Raises `InvalidSettings` when RabbitMQ refuses the user, or has no such stream.
        """
        begin = since
        while True:
            try:
                async with connected(self._url) as connection, attached(connection, begin, self.NAME) as arriving:
                    while True:
                        message = await arriving.next()
                        begin = offset_of(message) + 1
                        yield Part(begin - 1, self.events_of(message, self._tenant))
                        await message.ack()
            except AWAY:
                await asyncio.sleep(RECONNECT)

    @classmethod
    def events_of(cls, message: AbstractIncomingMessage, tenant: str | None) -> tuple[E_co, ...]:
        """Return the events of a message, none when they are another tenant's or of a type that came later."""
        kind, _, owner = (message.routing_key or "").rpartition(".")
        contract = cls.CONTRACTS.get(kind)
        if contract is None or tenant not in (None, owner):
            return ()
        events, _ = decode(contract, message.body)  # ours are never wrong; of another version none is read
        return tuple(events)  # type: ignore[arg-type]


class BlockStream(_Stream[BlockEvent]):
    """Every block, lift and erasure.

    async for part in BlockStream(url, "demo").read(since="first"):
        for event in part.events:
            ...
        remember(part.offset + 1)

    Events of an address carry a `version`; one that is not above the last that was applied has nothing new.
    """

    NAME = BLOCKS
    CONTRACTS: ClassVar[dict[str, type[Contract]]] = {
        "address.blocked": AddressBlocked,
        "address.unblocked": AddressUnblocked,
        "address.erased": AddressErased,
    }


class ChangeStream(_Stream[ChangeEvent]):
    """What became of contacts, lists, corrected and validated addresses, operations and storms, in the last 30 days.

    It is read as `BlockStream` is. A reader that was away for longer fetches contacts and lists by HTTP.
    """

    NAME = CHANGES
    CONTRACTS: ClassVar[dict[str, type[Contract]]] = {
        "contact.changed": ContactChanged,
        "selection.changed": SelectionChanged,
        "project.changed": ProjectChanged,
        "address.corrected": AddressCorrected,
        "address.validated": AddressValidated,
        "storm.begun": StormBegun,
        "storm.ended": StormEnded,
        "operation.finished": OperationFinished,
    }


class Arriving:
    """The messages of one consumer, in their order."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()

    async def take(self, message: AbstractIncomingMessage) -> None:
        """Note one message."""
        self._arrived.put_nowait(message)

    def close(self, *_: Any) -> None:
        """Note that no more will come."""
        self._arrived.put_nowait(None)

    @property
    def waiting(self) -> bool:
        """Whether there is one that nobody has taken."""
        return not self._arrived.empty()

    async def next(self, patience: float | None = None) -> AbstractIncomingMessage:
        """Return the next message. Raises `ConnectionError` when the channel has closed, `TimeoutError`."""
        async with asyncio.timeout(patience):
            message = await self._arrived.get()
        if message is None:
            self._arrived.put_nowait(None)
            raise ConnectionError("the channel has closed")
        return message


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Give a connection. Raises `InvalidSettings` when the user is refused, one of `AWAY` when nobody answers."""
    try:
        connection = await aio_pika.connect(url, timeout=CONNECT_TIMEOUT)
    except (AuthenticationError, ProbableAuthenticationError):
        raise InvalidSettings("RabbitMQ refuses the user or the password of the URL") from None
    async with connection:
        yield connection


@asynccontextmanager
async def attached(connection: AbstractRobustConnection, since: Since, name: str = BLOCKS) -> AsyncIterator[Arriving]:
    """Give what arrives from a place of the stream on; whatever is published from then on will arrive.

    Raises `InvalidSettings` when the user may not read the stream or there is none.
    """
    arriving = Arriving()
    try:
        async with connection.channel() as channel:
            await channel.set_qos(prefetch_count=PREFETCH)
            channel.close_callbacks.add(arriving.close)
            stream = await channel.get_queue(name, ensure=False)
            await stream.consume(arriving.take, arguments={"x-stream-offset": since})
            yield arriving
    except ChannelAccessRefused as error:
        raise InvalidSettings(f"RabbitMQ does not let this user read {name}: {error}") from None
    except ChannelNotFoundEntity:
        raise InvalidSettings(f"there is no {name}: has `returpost topology apply` been run?") from None


def offset_of(message: AbstractIncomingMessage) -> int:
    """Return the place of a message in the stream."""
    offset = message.headers["x-stream-offset"]
    assert isinstance(offset, int)  # noqa: S101 - a stream always gives it
    return offset
