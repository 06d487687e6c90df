"""What is heard of deliveries, verdicts and blocks, merged so that order and repeats do not matter. Handlers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.actions import store
from services.actions.store import Key
from shared.addresses import key
from shared.cloudevents import Event
from shared.contracts import (
    AddressBlocked,
    AddressErased,
    AddressUnblocked,
    BounceClassified,
    DeliveryRecorded,
    VerdictType,
)
from shared.outbox import Work

_COLUMNS = {result.value: column for column, result in enumerate(store.RESULTS)}


async def take_results(events: Sequence[Event[DeliveryRecorded]], work: Work) -> None:
    """Note what became of each recipient, and that its mailing was heard of."""
    times: dict[Key, list[datetime | None]] = {}
    seen: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    for event in events:
        data = event.data
        place = (event.tenant, data.mailing, key(data.address))
        known = times.get(place)
        if known is None:
            known = times[place] = [None] * len(store.RESULTS)
        column = _COLUMNS[data.result.value]
        known[column] = max(data.time, known[column] or data.time)
        first, last = seen.get(place[:2], (data.time, data.time))
        if not first < data.time < last:
            seen[place[:2]] = (min(first, data.time), max(last, data.time))
    await store.merge_results(work.connection, times)
    await store.see_mailings(work.connection, seen)


async def take_verdicts(events: Sequence[Event[BounceClassified]], work: Work) -> None:
    """Note why recipients were returned; what is no bounce is none of their business."""
    verdicts: dict[Key, tuple[Any, ...]] = {}
    for event in events:
        data = event.data
        if data.verdict.type is VerdictType.NONE:
            continue
        hard = data.verdict.type is VerdictType.HARD or data.exhausted
        row = (
            data.time, hard, data.verdict.reason.value, data.exhausted,
            data.reply_code, data.status, data.diagnostic, data.address,
        )  # fmt: skip
        place = (event.tenant, data.mailing, key(data.address))
        if place not in verdicts or verdicts[place][:3] < row[:3]:
            verdicts[place] = row
    await store.merge_verdicts(work.connection, verdicts)


async def take_blocks(events: Sequence[Event[AddressBlocked] | Event[AddressUnblocked]], work: Work) -> None:
    """Keep the newest block state of each address."""
    states: dict[tuple[str, str], tuple[Any, ...]] = {}
    for event in events:
        data = event.data
        place = (event.tenant, key(data.address))
        if place in states and states[place][0] >= data.version:
            continue
        if isinstance(data, AddressBlocked):
            states[place] = (data.version, True, data.cause, data.reason, data.return_count, data.time)
        else:
            states[place] = (data.version, False, data.cause, None, 0, data.time)
    await store.apply_states(work.connection, states)


async def take_erasures(events: Sequence[Event[AddressErased]], work: Work) -> None:
    """Forget erased addresses."""
    await store.erase(work.connection, [(event.tenant, key(event.data.address)) for event in events])
