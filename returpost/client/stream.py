"""The streams that a reader follows from any position: blocks, lifts and erasures; and changes of contacts and lists.

A stream keeps 30 days. Who starts later, or was away for longer, takes the current state first (`Part.missed`)."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeAlias, TypeVar

from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.connections import CONNECTION_ERRORS, open_connection
from returpost.amqp.streams import Since, offset_of, open_stream
from returpost.contracts import (
    AddressBlocked,
    AddressCorrected,
    AddressErased,
    AddressUnblocked,
    AddressValidated,
    ContactChanged,
    Contract,
    DomainBlocked,
    DomainUnblocked,
    MailingBreached,
    OperationFinished,
    ProjectChanged,
    SelectionChanged,
    StormEnded,
    StormStarted,
)
from returpost.contracts.cloudevents import Event, decode
from returpost.contracts.routing import BLOCKS, CHANGES

RECONNECT: Final = 2.0

BlockEvent: TypeAlias = (
    Event[AddressBlocked]
    | Event[AddressUnblocked]
    | Event[AddressErased]
    | Event[DomainBlocked]
    | Event[DomainUnblocked]
)
ChangeEvent: TypeAlias = (
    Event[ContactChanged]
    | Event[SelectionChanged]
    | Event[ProjectChanged]
    | Event[AddressCorrected]
    | Event[AddressValidated]
    | Event[StormStarted]
    | Event[StormEnded]
    | Event[MailingBreached]
    | Event[OperationFinished]
)
E_co = TypeVar("E_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Part(Generic[E_co]):
    """One message of a stream."""

    offset: int
    """Its place; whoever begins again begins with the one after the last that was worked off."""
    events: tuple[E_co, ...]
    missed: bool = False
    """Whether the stream has let go of what came before it and after the place that the reader asked for: whoever keeps
    a copy takes a new one (`Mirror` does so by itself)."""


class _Stream(Generic[E_co]):
    """Reads a stream, of one tenant or of all, across restarts of RabbitMQ."""

    NAME: ClassVar[str]
    CONTRACTS: ClassVar[dict[str, type[Contract]]]
    """What is read, by `<noun>.<verb>`."""

    def __init__(self, url: str, tenant: str | None = None) -> None:
        self._url = url
        self._tenant = tenant

    async def read(self, since: Since = "first") -> AsyncGenerator[Part[E_co], None]:
        """Yield what there is and what comes, until the reader leaves; a part without events of the tenant too.

        Whoever leaves early closes it (`contextlib.aclosing`): else the connection stays for as long as Python likes.

        Raises `InvalidSettings` when RabbitMQ refuses the user, or has no such stream.
        """
        begin = since
        while True:
            # The message before, if there is one, tells that none is missing in between.
            before = begin - 1 if isinstance(begin, int) and begin > 0 else None
            place = begin if before is None else before
            try:
                async with (
                    open_connection(self._url) as connection,
                    open_stream(connection, place, self.NAME) as arriving,
                ):
                    while True:
                        message = await arriving.next()
                        offset = offset_of(message)
                        if offset != before:
                            begin, missed = offset + 1, before is not None
                            yield Part(offset, self.events_of(message, self._tenant), missed)
                        before = None
                        await message.ack()
            except CONNECTION_ERRORS:
                await asyncio.sleep(RECONNECT)

    @classmethod
    def events_of(cls, message: AbstractIncomingMessage, tenant: str | None) -> tuple[E_co, ...]:
        """Return the events of a message, none when they are another tenant's or of a type that came later."""
        kind, _, owner = (message.routing_key or "").rpartition(".")
        contract = cls.CONTRACTS.get(kind)
        if contract is None or tenant not in (None, owner):
            return ()
        events, _ = decode(contract, message.body)  # ours are never wrong; of another version none is read
        return tuple(event for event in events if event.tenant == owner)  # type: ignore[misc]


class BlockStream(_Stream[BlockEvent]):
    """Every block, lift and erasure, of addresses and of whole domains.

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
        "domain.blocked": DomainBlocked,
        "domain.unblocked": DomainUnblocked,
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
        "storm.started": StormStarted,
        "storm.ended": StormEnded,
        "mailing.breached": MailingBreached,
        "operation.finished": OperationFinished,
    }
