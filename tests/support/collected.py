"""A unit of work over a real database and without a broker: what would be published is kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from returpost.contracts.cloudevents import Event
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWork


class Collected:
    """Effects in the database alone: what would be published is kept."""

    def __init__(self, pool: Pool) -> None:
        self.events: list[Event[Any]] = []
        self._pool = pool

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        async with self._pool.acquire() as connection, connection.transaction():
            work = UnitOfWork(connection)
            yield work
        self.events += [outgoing.event for outgoing in work.outgoing]
