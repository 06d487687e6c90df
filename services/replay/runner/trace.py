"""Reads a trace out of the archive, within a bound of time and of events."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

from services.replay.domain.archive_selection import time_of
from services.replay.domain.selection import event_queues
from services.replay.domain.trace import Arrivals, Subject, TraceStep, linked, step_of
from services.replay.queue_depths import depths
from services.replay.runner.whole_archive import WholeArchive

MAX_STEPS = 1_000
MAX_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Trace:
    """What was found."""

    steps: list[TraceStep]
    complete: bool
    """Whether the archive was read to its end."""


async def trace(archive: WholeArchive, subject: Subject, tenant: str | None, since: datetime) -> Trace:
    """Return the events about a subject since a time, of a tenant or of all.

    Of an event those too that concern the same address in the same mailing. Raises `Unavailable`.
    """
    deadline = asyncio.get_running_loop().time() + MAX_SECONDS
    found = await _read(archive, subject, tenant, since, deadline)
    if subject.event is not None and found.steps and (address := found.steps[0].address):
        first = found.steps[0]
        around = await _read(archive, Subject(address=address), first.tenant, since, deadline)
        same = [step for step in around.steps if step.mailing in (None, first.mailing) or step.id == first.id]
        found = Trace(same, found.complete and around.complete)
    return Trace(linked(found.steps), found.complete)


async def _read(archive: WholeArchive, subject: Subject, tenant: str | None, since: datetime, deadline: float) -> Trace:
    steps: list[TraceStep] = []
    # Before the archive is read: what comes meanwhile is counted in it, and not among those that wait.
    waiting = await depths(archive.broker, event_queues())
    arrivals, numbers = Arrivals(), dict[int, dict[str, int]]()
    clock = asyncio.get_running_loop().time
    # Of all tenants: what stands behind an event in a queue may be another's.
    reading = archive.read(since=since, offset=None, containing=subject.needle())
    async with aclosing(reading) as messages:
        async for message in messages:
            number = arrivals.add(message.routing_key)
            for event in message.events:
                moment = time_of(event)
                if moment is None or moment < since or tenant not in (None, event.get("tenant")):
                    continue
                if subject.matches(event):
                    steps.append(step_of(event, moment, message.offset))
                    numbers[message.offset] = number
            if clock() > deadline or len(steps) >= MAX_STEPS:
                return _trace(steps[:MAX_STEPS], arrivals, numbers, waiting, complete=False)
    return _trace(steps, arrivals, numbers, waiting, complete=True)


def _trace(
    steps: list[TraceStep],
    arrivals: Arrivals,
    numbers: Mapping[int, Mapping[str, int]],
    waiting: Mapping[str, int | None],
    *,
    complete: bool,
) -> Trace:
    return Trace(
        [replace(step, queues=arrivals.states(numbers[step.offset], waiting, complete=complete)) for step in steps],
        complete,
    )
