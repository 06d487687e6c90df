"""Keeping and forgetting raw messages, a batch at a time."""

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
from services.ingest.raw_messages import repository as sql
from services.ingest.raw_messages.domain import packed
from services.ingest.raw_messages.repository import AddressKey, RawMessageRepository
from shared.messaging.unit_of_work import UnitOfWork

PURGE_SECONDS = 600.0
STORED = Gauge("returpost_raw_messages_bytes", "Bytes of raw messages that are kept")
KEPT = Gauge("returpost_raw_messages", "Raw messages that are kept")


async def handle_store_commands(
    events: Sequence[Event[RawMessageStore]], work: UnitOfWork, *, repository: RawMessageRepository
) -> None:
    """Store messages, unless they came in before one of their addresses was erased."""
    bodies: dict[str, bytes] = {}
    for event in events:
        try:
            bodies[event.id] = packed(event.data)
        except InvalidMessage as error:
            work.refuse(event, str(error))
    keys = [(event.tenant, key(mention.address)) for event in events for mention in event.data.mentions]
    async with repository.transaction() as connection:
        gone = await sql.erased(connection, keys)
        wanted = [event for event in events if event.id in bodies and not _is_gone(event, gone)]
        rows = {_uuid(event.id): _row(event, bodies[event.id]) for event in wanted}
        mentions = {mention[:2]: mention for event in wanted for mention in _mentions(event)}
        await sql.store(connection, list(rows.values()), list(mentions.values()))


async def handle_erasures(
    events: Sequence[Event[AddressErased]], _: UnitOfWork, *, repository: RawMessageRepository
) -> None:
    """Remove what is kept about erased addresses."""
    times: dict[AddressKey, datetime] = {}
    for event in events:
        address = (event.tenant, key(event.data.address))
        times[address] = max(event.data.time, times.get(address, event.data.time))
    async with repository.transaction() as connection:
        await sql.erase(connection, times)


async def purge(repository: RawMessageRepository, *, keep: timedelta, max_bytes: int) -> None:
    """Remove what is too old, then the oldest of what is too much, then wait: one round."""
    await repository.purge(datetime.now(UTC) - keep)
    await repository.purge_beyond(max_bytes)
    messages, stored = await repository.stored()
    KEPT.set(messages)
    STORED.set(stored)
    await asyncio.sleep(PURGE_SECONDS)


def _is_gone(event: Event[RawMessageStore], gone: dict[AddressKey, datetime]) -> bool:
    times = (gone.get((event.tenant, key(mention.address))) for mention in event.data.mentions)
    return any(time is not None and event.data.time <= time for time in times)


def _row(event: Event[RawMessageStore], body: bytes) -> tuple[Any, ...]:
    data = event.data
    return (
        _uuid(event.id), event.tenant, data.time, data.source, data.outcome.value, data.problem, data.content_type,
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
        return UUID(ids.derived(text, "raw-message"))
