"""The storms in the database. Whoever begins or judges one waits until nobody decides by the rules so far."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from returpost.contracts import StormEnded, StormStarted, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.enums import StormKind
from services.blocklist.address_state.domain import FOREVER
from services.blocklist.jobs import repository
from services.blocklist.jobs.repository import Kind
from services.blocklist.storms.domain import State, Storm, Suspect, sudden
from services.blocklist.storms.storm_window import Seen, Watch
from services.blocklist.tenant_settings import repository as policy_repository
from shared.database.pool import Connection
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.observability.metrics import STORMS, STORMS_OPEN

Q = queries(Path(__file__).with_name("repository.sql"))
SOURCE = "/returpost/blocklist"
USUAL = timedelta(days=7)
"""How far back it is looked for what is usual."""


async def of_tenants(connection: Connection, tenants: Iterable[str]) -> dict[str, list[Storm]]:
    """Return the storms of each tenant that keep bounces from counting."""
    found: dict[str, list[Storm]] = defaultdict(list)
    for row in await connection.fetch(Q["of_tenants"], sorted(set(tenants))):
        found[row["tenant"]].append(_storm(row))
    return found


async def notice(uow_factory: UnitOfWorkFactory, watch: Watch, now: datetime) -> None:
    """Write down which storms begin, go on, and are over; tell of each, and have its addresses looked at again."""
    async with uow_factory.begin() as work:
        ongoing: dict[str, set[Suspect]] = defaultdict(set)
        for row in await work.connection.fetch(Q["ongoing"]):
            ongoing[row["tenant"]].add(Suspect(StormKind(row["kind"]), row["value"]))
    for seen in watch.seen(ongoing):
        async with uow_factory.begin() as work:
            await _begin(work, watch, seen, now)
    async with uow_factory.begin() as work:
        for row in await work.connection.fetch(Q["over"], now - watch.limits.quiet, now):
            ended = StormEnded(kind=row["kind"], value=row["value"], begun=row["begun"], time=now, storm=str(row["id"]))
            id_ = ids.derived(str(row["id"]), StormEnded.TYPE)
            work.emit(event(ended, id=id_, source=SOURCE, tenant=row["tenant"]))
        STORMS_OPEN.set(await work.connection.fetchval(Q["open"]))


async def judge(
    work: UnitOfWork, tenant: str, storm: UUID, state: State, said: tuple[str, str], now: datetime
) -> str | None:
    """Say what is to be done with the bounces of a storm; return the operation that does it, if there is the storm."""
    await work.connection.execute(policy_repository.Q["lock_settings"], tenant)
    by, note = said
    if await work.connection.fetchval(Q["judge"], tenant, storm, state, now, by, note) is None:
        return None
    operation = ids.of_content("storm", str(storm), state, now)
    what = {"storm": str(storm), "state": state.value}
    await repository.request(work.connection, operation, tenant, Kind.STORM, what, by, note, now)
    return operation


async def _begin(work: UnitOfWork, watch: Watch, seen: Seen, now: datetime) -> None:
    connection, suspect = work.connection, seen.suspect
    name = (seen.tenant, suspect.kind, suspect.value)
    if await connection.fetchval(Q["see"], *name, now):
        return
    usual = await connection.fetchrow(
        Q["usual"], seen.tenant, seen.begun - USUAL, seen.begun, suspect.kind, suspect.value
    )
    if usual is None or not sudden(seen.count, seen.bounces, usual["count"], usual["bounces"], watch.limits):
        return
    await connection.execute(policy_repository.Q["lock_settings"], seen.tenant)
    id_ = ids.of_content("storm", *name, now)
    row = (UUID(id_), *name, seen.begun, now, seen.count, seen.bounces)
    if await connection.fetchval(Q["begin"], *row) is None:
        return
    STORMS.labels(suspect.kind).inc()
    begun = StormStarted(
        storm=id_,
        kind=suspect.kind,
        value=suspect.value,
        begun=seen.begun,
        time=now,
        bounces=seen.count,
        of_bounces=seen.bounces,
    )
    work.emit(event(begun, id=ids.derived(id_, StormStarted.TYPE), source=SOURCE, tenant=seen.tenant))
    # What came in between noticing and writing it down was counted.
    what = {"storm": id_, "state": State.HELD.value}
    operation = ids.derived(id_, "operation")
    await repository.request(connection, operation, seen.tenant, Kind.STORM, what, "blocklist", "", now)


def _storm(row: Record) -> Storm:
    suspect = Suspect(StormKind(row["kind"]), row["value"])
    ended = row["ended"] or FOREVER
    return Storm(str(row["id"]), suspect, row["begun"], row["suspended_from"], ended, State(row["state"]))
