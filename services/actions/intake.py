"""What is heard of deliveries, verdicts and blocks, merged so that order and repeats do not matter. Handlers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from returpost.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceClassified,
    DeliveryRecorded,
    VerdictType,
)
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from services.actions import store
from services.actions.operations.ending import forget
from services.actions.statistics.store import note_block_days, note_mailings
from services.actions.store import Key, Place
from shared.messaging.unit_of_work import UnitOfWork

_COLUMNS = {result.value: column for column, result in enumerate(store.RESULTS)}


async def take_results(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
    """Note what became of each recipient, and that its mailing was heard of."""
    times: dict[Key, list[datetime | None]] = {}
    seen: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    senders: dict[tuple[str, str], str] = {}
    erased = await _erased(events, work)
    for event in events:
        data = event.data
        place = (event.tenant, data.mailing, key(data.address))
        senders[place[:2]] = data.sender
        if erased and _is_gone(erased, place[0], place[2], data.time):
            continue
        known = times.get(place)
        if known is None:
            known = times[place] = [None] * len(store.RESULTS)
        column = _COLUMNS[data.result.value]
        known[column] = max(data.time, known[column] or data.time)
        first, last = seen.get(place[:2], (data.time, data.time))
        if not first < data.time < last:
            seen[place[:2]] = (min(first, data.time), max(last, data.time))
    await store.merge_results(work.connection, times)
    await store.see_senders(work.connection, senders)
    await store.see_mailings(work.connection, seen)
    await note_mailings(work.connection, seen)


async def take_verdicts(events: Sequence[Event[BounceClassified]], work: UnitOfWork) -> None:
    """Note why recipients were returned; what is no bounce is none of their business."""
    verdicts: dict[Key, tuple[Any, ...]] = {}
    erased = await _erased(events, work)
    for event in events:
        data = event.data
        place = (event.tenant, data.mailing, key(data.address))
        if data.verdict.type is VerdictType.NONE or _is_gone(erased, place[0], place[2], data.time):
            continue
        hard = data.verdict.type is VerdictType.HARD or data.exhausted
        row = (
            data.time, hard, data.verdict.reason.value, data.exhausted,
            data.reply_code, data.status, data.diagnostic, data.address, data.verdict.rule,
        )  # fmt: skip
        if place not in verdicts or _rank(verdicts[place]) < _rank(row):
            verdicts[place] = row
    await store.merge_verdicts(work.connection, verdicts)
    await note_mailings(work.connection, (place[:2] for place in verdicts))


async def take_blocks(events: Sequence[Event[AddressBlocked] | Event[AddressUnblocked]], work: UnitOfWork) -> None:
    """Keep the newest block state of each address, and its history."""
    states: dict[Place, tuple[Any, ...]] = {}
    told: dict[tuple[str, str, int], tuple[Any, ...]] = {}
    erased = await _erased(events, work)
    for event in events:
        data = event.data
        place = (event.tenant, key(data.address))
        if _is_gone(erased, *place, data.time):
            continue
        blocked, reason, mailing, count = False, None, None, 0
        if isinstance(data, AddressBlocked):
            blocked, reason, mailing, count = True, data.reason, data.mailing, data.return_count
        told[*place, data.version] = (data.time, blocked, data.cause, reason, mailing, data.by, data.note)
        if place not in states or states[place][0] < data.version:
            states[place] = (data.version, blocked, data.cause, reason, count, data.time, mailing)
    await store.apply_states(work.connection, states)
    await store.add_address_events(work.connection, told)
    days = ((tenant, one[0].astimezone(UTC).date().isoformat()) for (tenant, _, _), one in told.items())
    await note_block_days(work.connection, days)


async def take_erasures(events: Sequence[Event[AddressErased]], work: UnitOfWork) -> None:
    """Forget erased addresses, and tell of the operations that go on without them."""
    times: dict[Place, datetime] = {}
    for event in events:
        place = (event.tenant, key(event.data.address))
        times[place] = max(event.data.time, times.get(place, event.data.time))
    await store.erase(work.connection, times)
    await forget(work, times, events[0].id)


async def _erased(events: Sequence[Event[Any]], work: UnitOfWork) -> dict[Place, datetime]:
    return await store.erased(work.connection, ((event.tenant, key(event.data.address)) for event in events))


def _is_gone(erased: dict[Place, datetime], tenant: str, address: str, time: datetime) -> bool:
    """Tell whether what happened at `time` was erased with its address."""
    at = erased.get((tenant, address))
    return at is not None and time <= at


def _rank(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what verdicts are ordered by, as `merge_verdicts` does."""
    time, hard, reason, exhausted, code, status, diagnostic, written, rule = row
    return time, hard, reason, exhausted, code or 0, status or "", diagnostic, written, rule
