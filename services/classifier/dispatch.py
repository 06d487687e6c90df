"""Issues retry commands when they are due, and reports those that were never answered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter

from services.classifier import events
from services.classifier.domain import domain_rate_limit
from services.classifier.domain.retry import DueState, RetryPolicy, state_when_due
from services.classifier.repository import dispatch as repository, schedules
from services.classifier.repository.dispatch import DueRetry
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

BATCH = 500
"""Retries per transaction."""

REQUESTED = Counter("returpost_retries_requested_total", "Retry commands issued")
POSTPONED = Counter("returpost_retries_postponed_total", "Retries postponed by the limit of a receiving domain")
LOST = Counter("returpost_retries_lost_total", "Retry commands whose result never came")

log = structlog.get_logger()


def utc_now() -> datetime:
    """Return the current time; tests replace it."""
    return datetime.now(UTC)


async def dispatch(
    uow_factory: UnitOfWorkFactory, keep: timedelta, policy: RetryPolicy, clock: Callable[[], datetime] = utc_now
) -> int:
    """Issue the commands that are due, and return how many retries were looked at (at most `BATCH`).

    Deliveries, blocks, erasures and pauses are looked up here, at the last moment: only then is everything committed
    that happened before, whatever order it arrived in. Outcomes older than `keep` are forgotten, so bounces older than
    that are not retried. `policy` is for tenants without a schedule of their own.
    """
    async with uow_factory.begin() as work:
        now = clock()
        due = await repository.take_due(work.connection, now, now - keep, BATCH)
        if not due:
            return 0
        paused = await repository.hold_paused(work.connection, {(retry.tenant, retry.mailing) for retry in due})
        states = {
            retry.recipient: state_when_due(
                retry.outcome,
                retry.erased,
                retry.blocked or retry.forgotten,
                paused=(retry.tenant, retry.mailing) in paused,
            )
            for retry in due
        }
        wanted = [retry for retry in due if states[retry.recipient] == DueState.REQUESTED]
        postponed = await _limit_domains(work, wanted, policy, now)
        for retry in wanted:
            if retry.recipient not in postponed:
                work.command(events.retry_requested(retry), retry.sender)
        decided = {recipient: state for recipient, state in states.items() if recipient not in postponed}
        await repository.end_dispatch(work.connection, decided, now)
    REQUESTED.inc(len(wanted) - len(postponed))
    POSTPONED.inc(len(postponed))
    return len(due)


async def _limit_domains(
    work: UnitOfWork, wanted: Sequence[DueRetry], policy: RetryPolicy, now: datetime
) -> Mapping[bytes, datetime]:
    """Postpone what exceeds the limit of its receiving domain; return the new due times."""
    policies = await schedules.policies(work.connection, {retry.tenant for retry in wanted}, policy)
    limits = {tenant: own.domain_limit for tenant, own in policies.items()}
    due = [(retry.recipient, (retry.tenant, retry.domain)) for retry in wanted]
    domains = {domain for _, domain in due if limits[domain[0]]}
    if not domains:
        return {}
    minute = domain_rate_limit.minute_of(now)
    issued = await repository.lock_domain_counts(work.connection, domains, minute)
    split = domain_rate_limit.split(due, issued, limits, now)
    counts = {domain: number for domain, number in split.issued.items() if domain in domains}
    await repository.add_domain_counts(work.connection, counts, minute)
    await repository.postpone(work.connection, split.postponed)
    return split.postponed


async def report_lost(
    uow_factory: UnitOfWorkFactory, patience: timedelta, clock: Callable[[], datetime] = utc_now
) -> int:
    """Report commands that were issued longer ago than `patience` and never answered; they are not repeated."""
    async with uow_factory.begin() as work:
        lost = await repository.mark_lost(work.connection, clock() - patience)
    for tenant, mailing, sender in set(lost):
        log.warning("retry commands were never answered", tenant=tenant, mailing=mailing, sender=sender)
    LOST.inc(len(lost))
    return len(lost)
