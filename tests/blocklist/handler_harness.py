"""Hand batches to the handlers over a real database, as the consumer would, and collect what they tell."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from returpost.contracts import (
    AddressErase,
    BlockClear,
    BlockSet,
    BounceClassified,
    DeliveryRecorded,
    SubscriptionConfirmed,
    SuppressionLift,
    SuppressionSet,
)
from returpost.contracts.cloudevents import Event
from services.blocklist.address_state.handlers.commands import handle_block_clear, handle_block_set
from services.blocklist.address_state.handlers.erasures import handle_erase
from services.blocklist.address_state.handlers.results import handle_results, handle_verdicts
from services.blocklist.address_state.handlers.suppressions import (
    handle_subscriptions,
    handle_suppression_lift,
    handle_suppression_set,
)
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWork

TOLERANCE = timedelta(days=36500)


def clock() -> datetime:
    return datetime.now(UTC)


HANDLERS: dict[type, Any] = {
    DeliveryRecorded: partial(handle_results, clock=clock),
    BounceClassified: partial(handle_verdicts, clock=clock),
    BlockSet: partial(handle_block_set, clock=clock, tolerance=TOLERANCE),
    BlockClear: partial(handle_block_clear, clock=clock, tolerance=TOLERANCE),
    SuppressionSet: partial(handle_suppression_set, clock=clock, tolerance=TOLERANCE),
    SuppressionLift: partial(handle_suppression_lift, clock=clock, tolerance=TOLERANCE),
    SubscriptionConfirmed: partial(handle_subscriptions, clock=clock, tolerance=TOLERANCE),
    AddressErase: partial(handle_erase, clock=clock),
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
    """Transactions without a broker: what is published is kept; what fails leaves nothing behind."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.published: list[Event[Any]] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        async with self._pool.acquire() as connection, connection.transaction():
            work = UnitOfWork(connection)
            yield work
        self.published += [outgoing.event for outgoing in work.outgoing]
