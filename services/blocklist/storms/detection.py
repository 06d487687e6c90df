"""Detects storms, and says what is done with their bounces. Whoever begins or judges one waits until nobody decides by
the rules so far."""

from datetime import datetime, timedelta
from uuid import UUID

from returpost.contracts import StormEnded, StormStarted, ids
from services.blocklist.address_state.events import new_event
from services.blocklist.jobs import repository as jobs
from services.blocklist.jobs.domain import JobKind, JobParameters, JobRequest
from services.blocklist.storms import repository
from services.blocklist.storms.domain import StormState, sudden
from services.blocklist.storms.storm_window import Seen, StormWindow
from services.blocklist.tenant_settings import repository as settings
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.observability.metrics import STORMS, STORMS_OPEN

USUAL = timedelta(days=7)
"""How far back it is looked for what is usual."""


async def detect_storms(uow_factory: UnitOfWorkFactory, window: StormWindow, now: datetime) -> None:
    """Keep which storms begin, go on, and are over; publish each, and have its addresses evaluated again."""
    async with uow_factory.begin() as work:
        ongoing = await repository.ongoing(work.connection)
    for seen in window.seen(ongoing):
        async with uow_factory.begin() as work:
            await _begin(work, window, seen, now)
    async with uow_factory.begin() as work:
        for row in await repository.end_quiet(work.connection, now - window.limits.quiet, now):
            ended = StormEnded(kind=row["kind"], value=row["value"], begun=row["begun"], time=now, storm=str(row["id"]))
            work.emit(new_event(ended, id=ids.derived(str(row["id"]), StormEnded.TYPE), tenant=row["tenant"]))
        STORMS_OPEN.set(await repository.count_ongoing(work.connection))


async def judge(
    work: UnitOfWork, tenant: str, storm: UUID, state: StormState, by: str, note: str, now: datetime
) -> UUID | None:
    """Say what is to be done with the bounces of a storm; return the job that does it, if there is such a storm."""
    await settings.lock(work.connection, tenant)
    if not await repository.judge(work.connection, tenant, storm, state, by, note, now):
        return None
    id_ = ids.of_content("storm", str(storm), state, now)
    parameters = JobParameters(storm=storm, state=state)
    await jobs.add(work.connection, JobRequest(id_, tenant, JobKind.STORM, parameters, by, note, now))
    return UUID(id_)


async def _begin(work: UnitOfWork, window: StormWindow, seen: Seen, now: datetime) -> None:
    connection, suspect = work.connection, seen.suspect
    if await repository.continues(connection, seen.tenant, suspect, now):
        return
    usual = await repository.usual(connection, seen.tenant, suspect, seen.begun - USUAL, seen.begun)
    if usual is None or not sudden(seen.count, seen.bounces, usual["count"], usual["bounces"], window.limits):
        return
    await settings.lock(connection, seen.tenant)
    id_ = ids.of_content("storm", seen.tenant, suspect.kind, suspect.value, now)
    if not await repository.begin(connection, UUID(id_), seen, now):
        return
    STORMS.labels(suspect.kind).inc()
    started = StormStarted(
        storm=id_,
        kind=suspect.kind,
        value=suspect.value,
        begun=seen.begun,
        time=now,
        bounces=seen.count,
        of_bounces=seen.bounces,
    )
    work.emit(new_event(started, id=ids.derived(id_, StormStarted.TYPE), tenant=seen.tenant))
    # What came in between detecting and writing it down was counted.
    parameters = JobParameters(storm=UUID(id_), state=StormState.HELD)
    job = JobRequest(ids.derived(id_, "operation"), seen.tenant, JobKind.STORM, parameters, "blocklist", "", now)
    await jobs.add(connection, job)
