"""Hand batches to the handlers over a real database, as the consumer would, and collect what they tell."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from returpost.bounces.rules import RuleRegistry
from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceReceived,
    DeliveryRecorded,
    MailingPause,
    MailingResume,
)
from returpost.contracts.cloudevents import Event
from services.classifier.dispatch import dispatch, report_lost
from services.classifier.handlers import (
    apply_blocks,
    apply_pauses,
    classify_bounces,
    erase_addresses,
    record_deliveries,
)
from shared.database.pool import Pool
from tests.classifier.model import POLICY, Expected
from tests.support.collected import Collected

RULES = RuleRegistry()
KEEP = timedelta(days=30)
HANDLERS: dict[type, Any] = {
    BounceReceived: partial(classify_bounces, rules=RULES, policy=POLICY),
    DeliveryRecorded: record_deliveries,
    AddressBlocked: apply_blocks,
    AddressUnblocked: apply_blocks,
    AddressErased: erase_addresses,
    MailingPause: apply_pauses,
    MailingResume: apply_pauses,
}


def batches(events: Sequence[Event[Any]], size: int) -> Iterator[list[Event[Any]]]:
    """Cut events into batches of one type, in their order."""
    for _, run in groupby(events, key=lambda event: type(event.data)):
        rest = list(run)
        while rest:
            yield rest[:size]
            rest = rest[size:]


async def apply(pool: Pool, batch: Sequence[Event[Any]]) -> list[Event[Any]]:
    """Handle one batch in one transaction; return what it published."""
    collected = Collected(pool)
    async with collected.begin() as work:
        await HANDLERS[type(batch[0].data)](batch, work)
    return collected.events


async def dispatched(pool: Pool, at: datetime, keep: timedelta = KEEP) -> list[Event[Any]]:
    """Issue what is due at this moment; return the commands."""
    collected = Collected(pool)
    await dispatch(collected, keep, POLICY, lambda: at)
    return collected.events


async def lost(pool: Pool, patience: timedelta, at: datetime) -> int:
    """Report what was never answered; return how many."""
    return await report_lost(Collected(pool), patience, lambda: at)


async def table(pool: Pool) -> dict[tuple[str, str], Expected]:
    """Return the table of retries by mailing and address as written."""
    rows = await pool.fetch("SELECT mailing, written, state, attempt, due, reason, times FROM retries")
    return {
        (row["mailing"], row["written"]): Expected(
            row["state"], row["attempt"], row["due"], row["reason"], tuple(row["times"])
        )
        for row in rows
    }


async def empty(pool: Pool) -> None:
    """Forget all."""
    await pool.execute("DELETE FROM retries; DELETE FROM outcomes; DELETE FROM blocks; DELETE FROM erased_addresses")
    await pool.execute("DELETE FROM paused_mailings")
