"""The report of a week: which week it is, what is in it, and for whom it is published."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from services.actions.statistics.weekly_report import SETTLED, last_week, publish_reports, report
from tests.support.harness import TENANT, Harness, RunningService, eventually

NOW = datetime(2025, 12, 2, 12, tzinfo=UTC)
MONDAY = date(2025, 11, 24)
"""Long ago: the service itself publishes the last week."""
COUNTS = ("sent", "delivered", "hard", "soft", "complained", "opened", "unsubscribed", "recovered")


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_last_week_is_whole_over_and_settled(now: datetime) -> None:
    first, last = last_week(now)
    assert (first.weekday(), last - first) == (0, timedelta(days=6))
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    assert timedelta(0) <= now - (end + SETTLED) < timedelta(days=7)


@pytest.mark.parametrize(
    ("now", "first"),
    [("2025-12-01T03:59:59Z", date(2025, 11, 17)), ("2025-12-01T04:00:00Z", MONDAY), ("2025-12-07T23:00:00Z", MONDAY)],
)
def test_a_week_is_reported_from_monday_morning_on(now: str, first: date) -> None:
    assert last_week(datetime.fromisoformat(now))[0] == first


def test_the_report_has_every_day_and_sums_them() -> None:
    row = dict.fromkeys(COUNTS, 0)
    days = [
        row | {"day": MONDAY, "sent": 10, "hard": 2},
        row | {"day": MONDAY + timedelta(days=3), "sent": 5, "soft": 1},
    ]
    reasons: list[dict[str, Any]] = [
        {"value": "user_unknown", "hard": 2},
        {"value": "", "soft": 1},
        {"value": "expired"},
    ]
    blocks = [{"day": MONDAY, "cause": "dead_address", "blocked": 2, "lifted": 1}] * 2
    found: dict[str, Any] = {"days": days, "reasons": [row | one for one in reasons], "domains": [], "blocks": blocks}
    made = report(found, found | {"days": days[:1]}, MONDAY, NOW)
    assert [day.sent for day in made.days] == [10, 0, 0, 5, 0, 0, 0]
    assert (made.last, made.totals["sent"], made.before["sent"]) == (date(2025, 11, 30), 15, 10)
    assert (made.reasons, made.blocked, made.lifted) == ({"user_unknown": 2}, 4, 2)


@pytest.mark.anyio
async def test_each_tenant_that_sent_has_its_own_report(harness: Harness, actions: RunningService) -> None:
    """Published again it is the same event; who sent nothing has none."""
    add = """INSERT INTO statistics (tenant, mailing, split, value, day, sent, delivered, hard, soft, complained,
                                     opened, unsubscribed, recovered)
             VALUES ($1, 'm', $2, $3, $4, $5, 0, 3, 0, 1, 0, 0, 0)"""
    for tenant, split, value, day, sent in (
        (TENANT, "day", "", MONDAY, 100),
        (TENANT, "reason", "user_unknown", MONDAY, 3),
        ("other", "day", "", MONDAY + timedelta(days=6), 7),
        ("idle", "day", "", MONDAY - timedelta(days=1), 50),
    ):
        await harness.fetch("actions", add, tenant, split, value, day, sent)
    for _ in range(2):
        await publish_reports(actions.service.pool, actions.service.uow_factory, NOW)
    await eventually(lambda: harness.depth("alerts.report-prepared"), lambda depth: depth == 4)
    told = await harness.take_events("alerts.report-prepared")
    assert {one["tenant"]: one["data"]["totals"]["sent"] for one in told} == {TENANT: 100, "other": 7}
    assert len({one["id"] for one in told}) == 2
    assert {one["data"]["first"] for one in told} == {"2025-11-24"}
