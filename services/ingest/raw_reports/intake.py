"""Keeping and forgetting raw reports, a batch at a time."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import Gauge

from returpost.contracts import AddressErased, RawMessageStore, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.errors import InvalidMessage
from services.ingest.raw_reports import store
from services.ingest.raw_reports.report import packed
from services.ingest.raw_reports.store import Place, Q, Store
from shared.messaging.unit_of_work import UnitOfWork

PURGE_SECONDS = 600.0
STORED = Gauge("returpost_raw_reports_bytes", "Bytes of raw reports that are kept")
KEPT = Gauge("returpost_raw_reports", "Raw reports that are kept")


async def take_reports(events: Sequence[Event[RawMessageStore]], work: UnitOfWork, *, kept_in: Store) -> None:
    """Keep reports, unless they came in before one of their addresses was erased."""
    bodies: dict[str, bytes] = {}
    for event in events:
        try:
            bodies[event.id] = packed(event.data)
        except InvalidMessage as error:
            work.refuse(event, str(error))
    places = [(event.tenant, key(mention.address)) for event in events for mention in event.data.mentions]
    async with kept_in.transaction() as connection:
        gone = await store.erased(connection, places)
        wanted = [event for event in events if event.id in bodies and not _is_gone(event, gone)]
        rows = {_uuid(event.id): _row(event, bodies[event.id]) for event in wanted}
        mentions = {mention[:2]: mention for event in wanted for mention in _mentions(event)}
        await store.keep(connection, list(rows.values()), list(mentions.values()))


async def take_erasures(events: Sequence[Event[AddressErased]], _: UnitOfWork, *, kept_in: Store) -> None:
    """Remove what is kept about erased addresses."""
    times: dict[Place, datetime] = {}
    for event in events:
        place = (event.tenant, key(event.data.address))
        times[place] = max(event.data.time, times.get(place, event.data.time))
    async with kept_in.transaction() as connection:
        await store.erase(connection, times)


async def purge(kept_in: Store, *, keep: timedelta, most: int) -> None:
    """One round: remove what is too old, then the oldest of what is too much, then wait."""
    pool = await kept_in.pool()
    await store.purge(pool, datetime.now(UTC) - keep)
    if (until := await pool.fetchval(Q["beyond"], most)) is not None:
        await store.purge(pool, until + timedelta(microseconds=1))
    counted = await pool.fetchrow(Q["stored"])
    assert counted is not None  # noqa: S101 - a count has a row
    KEPT.set(counted["reports"])
    STORED.set(counted["bytes"])
    await asyncio.sleep(PURGE_SECONDS)


def _is_gone(event: Event[RawMessageStore], gone: dict[Place, datetime]) -> bool:
    times = (gone.get((event.tenant, key(mention.address))) for mention in event.data.mentions)
    return any(time is not None and event.data.time <= time for time in times)


def _row(event: Event[RawMessageStore], body: bytes) -> tuple[Any, ...]:
    data = event.data
    return (
        _uuid(event.id), event.tenant, data.time, data.came_by, data.outcome.value, data.problem, data.content_type,
        data.size, body,
    )  # fmt: skip


def _mentions(event: Event[RawMessageStore]) -> list[tuple[Any, ...]]:
    return [
        (_uuid(id_), _uuid(event.id), event.tenant, key(mention.address), mention.mailing)
        for mention in event.data.mentions
        for id_ in mention.events
    ]


def _uuid(text: str) -> UUID:
    """Return an id as PostgreSQL keeps it; ours all are."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(ids.derived(text, "raw-report"))
