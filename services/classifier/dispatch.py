"""Retry commands, issued when due; and the report of those that were never answered."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter

from services.classifier import store
from services.classifier.bounces import SOURCE
from shared import ids
from shared.cloudevents import Event, event
from shared.contracts import Reason, RetryRequested, made
from shared.outbox import Effects, Work

BATCH = 500

REQUESTED = Counter("returpost_retries_requested_total", "Retry commands issued")
LOST = Counter("returpost_retries_lost_total", "Retry commands whose result never came")

log = structlog.get_logger()


def now() -> datetime:
    """The clock of the dispatcher, which tests replace."""
    return datetime.now(UTC)


async def dispatch(effects: Effects, keep: timedelta, clock: Callable[[], datetime] = now) -> int:
    """Issue the commands that are due now, and return how many retries were looked at (at most `BATCH`).

    Whether a recipient was delivered, blocked or erased in the meantime is asked here, at the last moment: only then
    has everything that happened before been committed, whatever the order in which it came in. Of what happened longer
    ago than `keep` nobody knows any more how it ended: it is not asked for.
    """
    async with effects.begin() as work:
        moment = clock()
        due = await store.take_due(work.connection, moment, moment - keep, BATCH)
        states = {row["recipient"]: _state(row) for row in due}
        for row in due:
            if states[row["recipient"]] == "requested":
                _command(work, row)
        if due:
            await store.end_dispatch(work.connection, states, moment)
    REQUESTED.inc(sum(state == "requested" for state in states.values()))
    return len(due)


def _state(row: store.Row) -> str:
    if row["erased"]:
        return "erased"
    if row["settled"]:
        return str(row["settled"])
    return "dropped" if row["blocked"] or row["forgotten"] else "requested"


async def report_lost(effects: Effects, patience: timedelta, clock: Callable[[], datetime] = now) -> int:
    """Report the commands that were given longer ago than `patience` and never answered; they are not repeated."""
    async with effects.begin() as work:
        lost = await store.report_lost(work.connection, clock() - patience)
    for tenant, mailing, sender in {(row["tenant"], row["mailing"], row["sender"]) for row in lost}:
        log.warning("retry commands were never answered", tenant=tenant, mailing=mailing, sender=sender)
    LOST.inc(len(lost))
    return len(lost)


def _command(work: Work, row: store.Row) -> None:
    data = made(
        RetryRequested,
        mailing=row["mailing"],
        address=row["written"],
        sender=row["sender"],
        attempt=row["attempt"],
        due=row["due"],
        reason=Reason(row["reason"]),
    )
    command: Event[RetryRequested] = event(
        data,
        id=ids.derived(row["recipient"].hex(), RetryRequested.TYPE, row["attempt"]),
        source=SOURCE,
        tenant=row["tenant"],
        subject=row["mailing"],
    )
    work.command(command, row["sender"])
