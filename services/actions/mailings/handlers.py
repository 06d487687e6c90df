"""Events about results, verdicts, blocks and erasures, and commands about mailings."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceClassified,
    DeliveryRecorded,
    MailingUpsert,
)
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from services.actions.mailings.domain import (
    block_changes,
    latest_results,
    latest_verdicts,
    merge_all,
    named_recipients,
    seen_mailings,
)
from services.actions.mailings.repository import erasures, mailings, recipients
from services.actions.operations.retention import erase_from_operations
from services.actions.statistics.repository import mark_block_days_dirty, mark_mailings_dirty
from shared.erased_addresses import AddressKey, is_erased
from shared.messaging.unit_of_work import UnitOfWork


async def record_results(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
    """Record the latest results of recipients, and the mailings and senders that they name."""
    latest = latest_results(events, await erasures.erased_at(work.connection, _addresses(events)))
    await recipients.merge_results(work.connection, latest.times)
    await mailings.record_senders(work.connection, latest.senders)
    await mailings.record_mailings(work.connection, latest.seen)
    await mark_mailings_dirty(work.connection, latest.seen)


async def record_verdicts(events: Sequence[Event[BounceClassified]], work: UnitOfWork) -> None:
    """Record why recipients were returned."""
    verdicts = latest_verdicts(events, await erasures.erased_at(work.connection, _addresses(events)))
    await recipients.merge_verdicts(work.connection, verdicts)
    await mark_mailings_dirty(work.connection, (place[:2] for place in verdicts))


async def record_blocks(events: Sequence[Event[AddressBlocked] | Event[AddressUnblocked]], work: UnitOfWork) -> None:
    """Record the newest block state of each address, and its history."""
    changes = block_changes(events, await erasures.erased_at(work.connection, _addresses(events)))
    await recipients.apply_block_states(work.connection, changes.states)
    await recipients.add_address_events(work.connection, changes.history)
    await mark_block_days_dirty(work.connection, changes.days())


async def erase_addresses(events: Sequence[Event[AddressErased]], work: UnitOfWork) -> None:
    """Erase addresses everywhere; operations go on without them."""
    times: dict[AddressKey, datetime] = {}
    for event in events:
        place = (event.tenant, key(event.data.address))
        times[place] = max(event.data.time, times.get(place, event.data.time))
    await erasures.erase(work.connection, times)
    await erase_from_operations(work, times, events[0].id)


async def upsert_mailings(events: Sequence[Event[MailingUpsert]], work: UnitOfWork) -> None:
    """Merge the upserts, and add the recipients that they name."""
    named, seen = named_recipients(events), seen_mailings(events)
    erased = await erasures.erased_at(work.connection, ((tenant, address) for tenant, _, address in named))
    await mailings.record_mailings(work.connection, seen)
    before = await mailings.lock_mailings(work.connection, sorted(seen))
    after = merge_all(before, events)
    await mailings.write_mailings(work.connection, {p: one for p, one in after.items() if one != before[p]})
    planned = [place for place, at in named.items() if not is_erased(erased, place[0], place[2], at)]
    if named:
        await mailings.plan_recipients(work.connection, sorted(planned))


def _addresses(events: Iterable[Event[Any]]) -> Iterable[AddressKey]:
    return ((event.tenant, key(event.data.address)) for event in events)
