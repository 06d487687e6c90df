"""The figures of the last week, published for whoever reports them to people."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from returpost.contracts import ReportDay, ReportPrepared, ids
from services.actions.events import new_event
from services.actions.statistics import repository
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWorkFactory

WEEK: Final = timedelta(days=7)
SETTLED: Final = timedelta(hours=4)
"""After the end of a week, until its last results are in and counted."""
PREPARE_SECONDS: Final = 6 * 3600.0
MOST: Final = 8
"""Reasons and domains that are named."""
COUNTED: Final = ("sent", "delivered", "hard", "soft", "complained", "unsubscribed", "recovered")


def last_week(now: datetime) -> tuple[date, date]:
    """Return the Monday and Sunday of the last week that has settled, in UTC."""
    day = (now - SETTLED).date()
    monday = day - timedelta(days=day.weekday()) - WEEK
    return monday, monday + timedelta(days=6)


def report(found: Mapping[str, Any], before: Mapping[str, Any], first: date, now: datetime) -> ReportPrepared:
    """Return the report of a week from the aggregates of its days and of those of the week before."""
    by_day = {row["day"]: row for row in found["days"]}
    days = [first + timedelta(days=n) for n in range(7)]
    return ReportPrepared(
        first=first,
        last=days[-1],
        totals=_totals(found["days"]),
        before=_totals(before["days"]),
        days=[_day(day, by_day.get(day, {})) for day in days],
        reasons=_most(found["reasons"]),
        domains=_most(found["domains"]),
        blocked=sum(row["blocked"] for row in found["blocks"]),
        lifted=sum(row["lifted"] for row in found["blocks"]),
        time=now,
    )


async def publish_reports(pool: Pool, uow_factory: UnitOfWorkFactory, now: datetime) -> None:
    """Publish the last week of each tenant that something was sent for. It is said again under the same id."""
    first, last = last_week(now)
    for tenant in await repository.tenants(pool):
        found = await repository.window(pool, tenant, first, last, None, MOST + 1)
        if not any(row["sent"] for row in found["days"]):
            continue
        before = await repository.window(pool, tenant, first - WEEK, last - WEEK, None, 1)
        data = report(found, before, first, now)
        async with uow_factory.begin() as work:
            work.emit(new_event(data, id=ids.of_content("report", tenant, first.isoformat()), tenant=tenant))


def _totals(days: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {name: sum(day[name] for day in days) for name in COUNTED}


def _day(day: date, row: Mapping[str, Any]) -> ReportDay:
    return ReportDay(day=day, **{name: row.get(name, 0) for name in ("sent", "hard", "soft", "complained")})


def _most(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return bounces by what they are split by, without the rest that has no name."""
    counted = {row["value"]: row["hard"] + row["soft"] for row in rows if row["value"]}
    return {name: count for name, count in list(counted.items())[:MOST] if count}
