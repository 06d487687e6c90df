"""One batch in hand: the connection of its transaction, and what it wants to publish."""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from returpost.amqp.publisher import Outgoing
from returpost.contracts.cloudevents import AnyEvent, Event
from returpost.contracts.routing import COMMANDS, EVENTS, routing_key
from returpost.errors import ReturpostError
from shared.database.pool import Connection

HOLDS: ContextVar[bool] = ContextVar("HOLDS", default=False)
"""Whether the work in hand waits until RabbitMQ has its events. What takes from a queue or works in the background
does, or it would fill the outbox. A request does not: what is committed is accepted, and its events follow."""


class UnitOfWork:
    """One batch in hand: the connection of its transaction, and what it wants to publish."""

    def __init__(self, connection: Connection | None = None) -> None:
        self._connection = connection
        self.outgoing: list[Outgoing] = []
        self.refused: list[tuple[Event[Any], str]] = []
        self.committed: list[Callable[[], None]] = []

    @property
    def connection(self) -> Connection:
        """The connection, inside the transaction. Raises `ReturpostError` in a service without a database."""
        if self._connection is None:
            raise ReturpostError("this service was set up without a database")
        return self._connection

    def emit(self, event: AnyEvent, detail: str | None = None) -> None:
        """Publish this event when the transaction has committed."""
        self.outgoing.append(Outgoing(event, EVENTS, routing_key(event.type, event.tenant, detail)))

    def refuse(self, event: Event[Any], error: str) -> None:
        """Put this event among the dead letters when the transaction has committed; the others go on."""
        self.refused.append((event, error))

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this when the transaction has committed: what it wakes would see nothing before."""
        self.committed.append(call)

    def command(self, event: AnyEvent, receiver: str | None = None) -> None:
        """Publish this command when the transaction has committed."""
        self.outgoing.append(Outgoing(event, COMMANDS, routing_key(event.type, event.tenant, receiver)))


class UnitOfWorkFactory(Protocol):
    """How a batch takes effect."""

    def begin(self) -> Any:
        """Return an async context manager that gives a `UnitOfWork`; when it ends well, all effects are in place."""
        ...
