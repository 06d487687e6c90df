"""Counts mailings that have changed by minute, and signals their breaches: one mailing a transaction, behind the
pipeline, by the same marks as the statistics."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from returpost.contracts import StormEnded, StormStarted
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import BreachLevel, BreachScope
from services.actions.mailings.repository import old_recipients
from services.actions.mailings.stop_signals import domain, events
from services.actions.mailings.stop_signals.domain import Breach
from services.actions.mailings.stop_signals.pauses import pause
from services.actions.mailings.stop_signals.repository import pauses, signals, thresholds
from services.actions.mailings.stop_signals.repository.signals import Storm
from services.actions.statistics.repository import SIGNALS, finish_run, schedule_dirty, take_run
from shared.database.pool import Pool
from shared.messaging.envelope import source_of
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

BY = source_of("actions")
MAILING_SHARE = 20
"""A mailing is counted again at the earliest after so many times what that took."""
TOTAL_SHARE = 5
"""The pause after each, as a multiple of what it took."""


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


async def evaluate_next(
    pool: Pool, uow_factory: UnitOfWorkFactory, now: datetime, settle: timedelta, idle: float
) -> float:
    """Count and judge one mailing that has changed, at most once in `idle` seconds; return the seconds to wait.

    Minutes count when they have ended for `settle`: results need some time to come in, and storms to be recognised.
    """
    await schedule_dirty(pool, idle, MAILING_SHARE, (SIGNALS,))
    async with uow_factory.begin() as work:
        run = await take_run(work.connection, (SIGNALS,))
        if run is None:
            return idle
        began = time.monotonic()
        await evaluate(work, run.tenant, run.name, now, now - settle)
        took = time.monotonic() - began
        await finish_run(work.connection, run, took)
    return took * TOTAL_SHARE


async def evaluate(work: UnitOfWork, tenant: str, mailing: str, now: datetime, until: datetime) -> None:
    """Count a mailing anew, keep its breaches, and signal those that are new and not of a mailing long over."""
    connection = work.connection
    if not await old_recipients.has_removed(connection, tenant, mailing):
        await signals.count_minutes(connection, tenant, mailing)
    minutes = await signals.minutes_of(connection, tenant, mailing)
    limits = (await thresholds.read(connection, tenant))[0].thresholds()
    known = {one.breach.signal for one in await signals.noticed_breaches(connection, tenant, mailing)}
    together = None
    if domain.needs_others(minutes, limits):
        others = await signals.together(connection, tenant, min(minutes) - limits.window, max(minutes))
        together = domain.windows(others, limits)
    found = domain.breaches(minutes, limits, until, together)
    await signals.add_breaches(connection, tenant, mailing, [one for one in found if one.signal not in known], now)
    await _signal(work, tenant, mailing, domain.to_signal(found, known, limits, now), now)
    if domain.unsettled(minutes, until, now):
        await signals.mark(connection, tenant, mailing)


async def record_storms(storms: Sequence[Event[StormStarted] | Event[StormEnded]], work: UnitOfWork) -> None:
    """Keep storms: what comes back in one says nothing of the list of addresses."""
    found: dict[tuple[str, str], Storm] = {}
    for event in storms:
        data = event.data
        ended = data.time if isinstance(data, StormEnded) else None
        place = (event.tenant, data.storm)
        if (known := found.get(place)) is not None:
            ended = ended or known.ended
        found[place] = Storm(*place, data.kind, data.value, data.begun, ended)
    await signals.record_storms(work.connection, found.values())


async def _signal(work: UnitOfWork, tenant: str, mailing: str, found: Sequence[Breach], now: datetime) -> None:
    if not found:
        return
    sender = await pauses.sender_of(work.connection, tenant, mailing)
    for breach in found:
        work.emit(events.breached(breach, tenant, mailing, sender))
    if stops := [one for one in found if one.level is BreachLevel.PAUSE]:
        await pause(work, tenant, mailing, now, BY, "; ".join(map(_why, stops)), stops[0].kind)


def _why(breach: Breach) -> str:
    share = f"{breach.count} of {breach.of_results} ({breach.count / breach.of_results:.2%})"
    whose = " in all mailings together" if breach.scope is BreachScope.TENANT else ""
    return f"{breach.kind}: {share}{whose}, the limit is {breach.threshold:.2%}"
