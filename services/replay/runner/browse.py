"""Looks for events in the archive, within a bound of time and of events; a cursor leads on from where it stopped."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from returpost.amqp.archive import EPOCH
from services.replay.domain.archive_selection import ArchiveFilter, tenant_of, time_of
from services.replay.domain.trace import step_of
from services.replay.runner.archive import is_past
from services.replay.runner.whole_archive import WholeArchive

MAX_SECONDS = 5.0
"""How long one request reads."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an event is: the offset of its message, and its number in that, from 0 on."""

    offset: int
    number: int

    def __str__(self) -> str:
        return f"{self.offset}.{self.number}"


@dataclass(frozen=True, slots=True)
class ArchivedEvent:
    """One event of the archive, without addresses and without texts of others."""

    place: str
    """Names the event in the archive: `offset.number`."""
    time: datetime
    type: str
    id: str
    tenant: str
    mailing: str | None
    routing_key: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, and how far was looked."""

    events: list[ArchivedEvent]
    messages_read: int
    read_to: datetime | None
    """The time of the last event that was read."""
    next: Place | None
    """Where to look on; none at the end."""


async def browse(archive: WholeArchive, selection: ArchiveFilter, start: Place | None, limit: int) -> Found:
    """Return up to `limit` selected events in the order of the archive, from a place on. Raises `Unavailable`."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + MAX_SECONDS
    is_address, first = selection.address_test(()), start or Place(0, 0)
    events: list[ArchivedEvent] = []
    read, read_to = 0, None
    offset = start.offset if start else None
    reading = archive.read(since=selection.since, offset=offset, containing=selection.needle(), tenant=selection.tenant)
    async with aclosing(reading) as messages:
        async for message in messages:
            read += 1
            for number, event in enumerate(message.events):
                place = Place(message.offset, number)
                moment = time_of(event)
                read_to = moment or read_to
                if moment and place >= first and selection.matches(event, message.routing_key, is_address):
                    if len(events) == limit:
                        return Found(events, read, read_to, place)
                    events.append(_event(event, moment, place, message.routing_key))
            if is_past(message, selection):
                break
            if clock() > deadline:
                return Found(events, read, read_to, Place(message.offset + 1, 0))
    return Found(events, read, read_to, None)


async def look(archive: WholeArchive, place: Place, tenant: str | None) -> dict[str, Any] | None:
    """Return the event at a place, of a tenant or of all, as it was published; None when it is not there."""
    async with aclosing(archive.read(since=EPOCH, offset=place.offset)) as messages:
        async for message in messages:
            if message.offset != place.offset or place.number >= len(message.events):
                break
            event = message.events[place.number]
            theirs = tenant is None or tenant == event.get("tenant") == tenant_of(message.routing_key)
            return event if theirs else None
    return None


def _event(event: dict[str, Any], moment: datetime, place: Place, routing_key: str) -> ArchivedEvent:
    step = step_of(event, moment, place.offset)
    return ArchivedEvent(str(place), moment, step.type, step.id, step.tenant, step.mailing, routing_key, step.facts)
