"""Each tenant's own schedule of retries."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from returpost.contracts import Reason
from services.classifier.domain.retry import RetryPolicy
from services.classifier.domain.schedules import RetrySchedule, default_schedule
from shared.database.pool import Connection
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("schedules.sql"))


@dataclass(frozen=True, slots=True)
class ScheduleVersion:
    """Which version of a schedule it is, and who wrote it when; version 0 is the default."""

    version: int = 0
    changed_at: datetime | None = None
    changed_by: str | None = None


async def policies(connection: Connection, tenants: Iterable[str], default: RetryPolicy) -> dict[str, RetryPolicy]:
    """Return the policy of each of these tenants."""
    wanted = sorted(tenants)
    rows = await connection.fetch(Q["retry_schedules"], wanted) if wanted else []
    own = {row["tenant"]: _policy(_schedule(row), default) for row in rows}
    return {tenant: own.get(tenant, default) for tenant in wanted}


async def read(connection: Connection, tenant: str, default: RetryPolicy) -> tuple[RetrySchedule, ScheduleVersion]:
    """Return a tenant's schedule and its version."""
    row = await connection.fetchrow(Q["retry_schedules"], [tenant])
    if row is None:
        return default_schedule(default), ScheduleVersion()
    return _schedule(row), ScheduleVersion(row["version"], row["changed_at"], row["changed_by"])


async def save(
    connection: Connection, tenant: str, schedule: RetrySchedule, version: int, by: str, now: datetime
) -> int | None:
    """Overwrite that version of a tenant's schedule and return the new one; None when another is current."""
    seconds = {
        "delays": _seconds(schedule.delays),
        "by_reason": {reason: _seconds(delays) for reason, delays in schedule.by_reason.items()},
        "domain_limit": schedule.domain_limit,
    }
    saved: int | None = await connection.fetchval(
        Q["save_retry_schedule"], tenant, version, json.dumps(seconds), now, by
    )
    return saved


def _schedule(row: asyncpg.Record) -> RetrySchedule:
    kept = json.loads(row["schedule"])
    return RetrySchedule(
        delays=_timedeltas(kept["delays"]),
        by_reason={Reason(reason): _timedeltas(delays) for reason, delays in kept["by_reason"].items()},
        domain_limit=kept["domain_limit"],
    )


def _policy(schedule: RetrySchedule, default: RetryPolicy) -> RetryPolicy:
    by_reason = {str(reason): delays for reason, delays in schedule.by_reason.items()}
    return replace(default, delays=schedule.delays, by_reason=by_reason, domain_limit=schedule.domain_limit)


def _seconds(delays: Iterable[timedelta]) -> list[float]:
    return [delay.total_seconds() for delay in delays]


def _timedeltas(seconds: Iterable[float]) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=each) for each in seconds)
