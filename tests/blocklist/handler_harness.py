"""Hand batches to the handlers over a real database, as the consumer would, and collect what they tell."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from returpost.contracts import AddressErase, BlockClear, BlockSet, BounceClassified, DeliveryRecorded
from returpost.contracts.cloudevents import Event
from services.blocklist.address_state.handlers.commands import take_clears, take_erasures, take_sets
from services.blocklist.address_state.handlers.results import take_results, take_verdicts
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWork

TOLERANCE = timedelta(days=36500)


def clock() -> datetime:
    return datetime.now(UTC)


HANDLERS: dict[type, Any] = {
    DeliveryRecorded: partial(take_results, clock=clock),
    BounceClassified: partial(take_verdicts, clock=clock),
    BlockSet: partial(take_sets, clock=clock, tolerance=TOLERANCE),
    BlockClear: partial(take_clears, clock=clock, tolerance=TOLERANCE),
    AddressErase: partial(take_erasures, clock=clock),
}


def batches(events: Sequence[Event[Any]], size: int) -> Iterator[list[Event[Any]]]:
    """Cut events into batches of one type, in their order."""
    for _, run in groupby(events, key=lambda event: type(event.data)):
        rest = list(run)
        while rest:
            yield rest[:size]
            rest = rest[size:]


async def apply(pool: Pool, batch: Sequence[Event[Any]], now: Callable[[], datetime] | None = None) -> list[Event[Any]]:
    """Handle one batch in one transaction; return what it published."""
    async with pool.acquire() as connection, connection.transaction():
        work = UnitOfWork(connection)
        await HANDLERS[type(batch[0].data)](batch, work, **({"clock": now} if now else {}))
        return [outgoing.event for outgoing in work.outgoing]


async def states(pool: Pool, tenant: str) -> dict[str, tuple[int, str | None]]:
    """Return return count and cause of every address of a tenant."""
    rows = await pool.fetch("SELECT address, return_count, cause FROM addresses WHERE tenant = $1", tenant)
    return {row["address"]: (row["return_count"], row["cause"]) for row in rows}


class Transactions:
    """Transactions without a broker: what is published is kept."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.published: list[Event[Any]] = []

    def begin(self) -> Any:
        return self

    async def __aenter__(self) -> UnitOfWork:
        self._connection = await self._pool.acquire()
        self._transaction = self._connection.transaction()
        await self._transaction.start()
        self._work = UnitOfWork(self._connection)
        return self._work

    async def __aexit__(self, *error: object) -> None:
        await self._transaction.commit()
        await self._pool.release(self._connection)
        self.published += [outgoing.event for outgoing in self._work.outgoing]
