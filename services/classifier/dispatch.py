"""Retry commands, issued when due; and the report of those that were never answered."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter

from returpost.contracts import Reason, RetryRequested, construct_trusted, ids
from returpost.contracts.cloudevents import Event, event
from services.classifier import pace, store, tenant_schedules
from services.classifier.bounces import SOURCE
from services.classifier.retry import Policy
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

BATCH = 500

REQUESTED = Counter("returpost_retries_requested_total", "Retry commands issued")
POSTPONED = Counter("returpost_retries_postponed_total", "Retries put off to spare a receiving domain")
LOST = Counter("returpost_retries_lost_total", "Retry commands whose result never came")

log = structlog.get_logger()


def now() -> datetime:
    """The clock of the dispatcher, which tests replace."""
    return datetime.now(UTC)


async def dispatch(
    uow_factory: UnitOfWorkFactory, keep: timedelta, policy: Policy, clock: Callable[[], datetime] = now
) -> int:
    """Issue the commands that are due now, and return how many retries were looked at (at most `BATCH`).

    Whether a recipient was delivered, blocked or erased in the meantime is asked here, at the last moment: only then
    has everything that happened before been committed, whatever the order in which it came in. Of what happened longer
    ago than `keep` nobody knows any more how it ended: it is not asked for. `policy` is for tenants without their own.
    """
    async with uow_factory.begin() as work:
        moment = clock()
        due = await store.take_due(work.connection, moment, moment - keep, BATCH)
        if not due:
            return 0
        states = {row["recipient"]: _state(row) for row in due}
        wanted = [row for row in due if states[row["recipient"]] == "requested"]
        later = await _keep_pace(work, wanted, policy, moment)
        for row in wanted:
            if row["recipient"] not in later:
                _command(work, row)
        decided = {recipient: state for recipient, state in states.items() if recipient not in later}
        await store.end_dispatch(work.connection, decided, moment)
    REQUESTED.inc(len(wanted) - len(later))
    POSTPONED.inc(len(later))
    return len(due)


async def _keep_pace(
    work: UnitOfWork, wanted: Sequence[store.Row], policy: Policy, moment: datetime
) -> Mapping[bytes, datetime]:
    """Postpone what a receiving domain is to be spared for now, and return it with its new times."""
    policies = await tenant_schedules.policies(work.connection, {row["tenant"] for row in wanted}, policy)
    limits = {tenant: own.domain_limit for tenant, own in policies.items()}
    due = [(row["recipient"], (row["tenant"], row["domain"])) for row in wanted]
    places = {place for _, place in due if limits[place[0]]}
    if not places:
        return {}
    minute = pace.minute_of(moment)
    issued = await store.hold_pace(work.connection, places, minute)
    shared = pace.share(due, issued, limits, moment)
    await store.keep_pace(work.connection, {p: n for p, n in shared.issued.items() if p in places}, minute)
    await store.postpone(work.connection, shared.later)
    return shared.later


def _state(row: store.Row) -> str:
    if row["erased"]:
        return "erased"
    if row["settled"]:
        return str(row["settled"])
    return "dropped" if row["blocked"] or row["forgotten"] else "requested"


async def report_lost(uow_factory: UnitOfWorkFactory, patience: timedelta, clock: Callable[[], datetime] = now) -> int:
    """Report the commands that were given longer ago than `patience` and never answered; they are not repeated."""
    async with uow_factory.begin() as work:
        lost = await store.report_lost(work.connection, clock() - patience)
    for tenant, mailing, sender in {(row["tenant"], row["mailing"], row["sender"]) for row in lost}:
        log.warning("retry commands were never answered", tenant=tenant, mailing=mailing, sender=sender)
    LOST.inc(len(lost))
    return len(lost)


def _command(work: UnitOfWork, row: store.Row) -> None:
    data = construct_trusted(
        RetryRequested,
        mailing=row["mailing"],
        address=row["written"],
        sender=row["sender"],
        attempt=row["attempt"],
        due=row["due"],
        reason=Reason(row["reason"]),
        contact=row["contact"],
    )
    command: Event[RetryRequested] = event(
        data,
        id=ids.derived(row["recipient"].hex(), RetryRequested.TYPE, row["attempt"]),
        source=SOURCE,
        tenant=row["tenant"],
        subject=row["mailing"],
    )
    work.command(command, row["sender"])
