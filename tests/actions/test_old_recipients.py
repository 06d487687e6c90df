"""Recipients of old mailings are removed after their time; statistics stay, and what comes late changes neither."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from returpost.errors import InvalidSettings
from services.actions.app import create
from services.actions.mailings import retention
from services.actions.mailings.retention import remove_old_recipients
from services.actions.mailings.stop_signals.evaluation import evaluate_next
from services.actions.settings import Settings
from services.actions.statistics.aggregator import aggregate_next
from shared.database.pool import Pool
from shared.settings import load
from tests.actions.builders import apply, mailing, moment, result, verdict
from tests.support.collected import Collected
from tests.support.harness import Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

DAY = 24 * 60
KEPT = timedelta(days=30)
LATER = moment(40 * DAY)
"""Mailing `m1` of the first day is older than it is kept, `m2` of the twentieth is not."""


async def settle(pool: Pool) -> None:
    """Count until all that has changed is counted."""

    async def pending() -> int:
        await aggregate_next(pool, 0)
        await evaluate_next(pool, Collected(pool), LATER, timedelta(0), 0)
        found: int = await pool.fetchval(
            "SELECT (SELECT count(*) FROM statistics_due) + count(*) FROM statistics_runs WHERE horizon IS NOT NULL"
        )
        return found

    await eventually(pending, lambda number: number == 0)


async def remove(pool: Pool, now: datetime = LATER, kept: timedelta = KEPT) -> None:
    while await remove_old_recipients(pool, now, kept):
        pass


async def recipients(pool: Pool) -> dict[str, int]:
    rows = await pool.fetch("SELECT mailing, count(*) AS number FROM recipients GROUP BY mailing")
    return {row["mailing"]: row["number"] for row in rows}


async def statistics(pool: Pool) -> list[Any]:
    return [tuple(row) for row in await pool.fetch("SELECT * FROM statistics ORDER BY mailing, split, value, day")]


@pytest.fixture
async def filled(pool: Pool) -> Pool:
    await apply(
        pool, *(result("sent", n, n) for n in range(12)), *(result("sent", n, 20 * DAY, "m2") for n in range(3))
    )
    await apply(pool, result("delivered", 2, 20))
    await apply(pool, verdict("hard", 1, 20))
    return pool


async def test_old_recipients_go_and_their_statistics_stay(filled: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 5)
    await settle(filled)
    before = await statistics(filled)
    assert before
    await remove(filled)
    assert await recipients(filled) == {"m2": 3}
    await settle(filled)
    assert await statistics(filled) == before


async def test_nothing_goes_without_a_time_or_before_it(filled: Pool) -> None:
    await settle(filled)
    await remove(filled, kept=timedelta(0))
    await remove(filled, now=moment(30 * DAY))
    assert await recipients(filled) == {"m1": 12, "m2": 3}


async def test_what_is_not_counted_yet_stays(filled: Pool) -> None:
    await remove(filled)
    assert await recipients(filled) == {"m1": 12, "m2": 3}
    await settle(filled)
    await remove(filled)
    assert await recipients(filled) == {"m2": 3}


async def test_a_mailing_that_is_still_to_be_sent_stays(filled: Pool) -> None:
    await apply(filled, mailing("m1", 1, sent_at=moment(39 * DAY)))
    await settle(filled)
    await remove(filled)
    assert await recipients(filled) == {"m1": 12, "m2": 3}


async def test_what_comes_late_goes_too_and_counts_nothing(filled: Pool) -> None:
    await settle(filled)
    before = await statistics(filled)
    await remove(filled)
    await apply(filled, result("opened", 3, 39 * DAY))
    await apply(filled, verdict("hard", 4, 5))
    assert (await recipients(filled))["m1"] == 2
    await settle(filled)
    await remove(filled)
    assert await recipients(filled) == {"m2": 3}
    assert await statistics(filled) == before


async def test_a_mailing_that_is_being_counted_is_left_for_later(filled: Pool) -> None:
    await settle(filled)
    async with filled.acquire() as connection, connection.transaction():
        await connection.fetchval("SELECT 1 FROM mailings WHERE mailing = 'm1' FOR KEY SHARE")
        await remove(filled)
        assert await recipients(filled) == {"m1": 12, "m2": 3}
    await remove(filled)
    assert await recipients(filled) == {"m2": 3}


@pytest.fixture
async def actions(harness: Harness) -> AsyncIterator[RunningService]:
    settings = {"statistics_pause": timedelta(milliseconds=50), "recipients_kept": timedelta(days=7)}
    async with harness.running(create, Settings, "actions", **settings) as running:
        yield running


@pytest.mark.parametrize("kept", ["400", "-P400D", "P6D"])
def test_less_than_a_week_is_a_mistake(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_ACTIONS_RECIPIENTS_KEPT", kept)
    with pytest.raises(InvalidSettings, match="RECIPIENTS_KEPT"):
        load(Settings, "actions")


async def test_the_service_removes_them_and_says_when(actions: RunningService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.actions.app.RETENTION_SECONDS", 0.05)
    await apply(actions.service.pool, *(result("sent", n, n) for n in range(3)))

    async def look() -> dict[str, Any]:
        found: dict[str, Any] = (await actions.http.get("/v1/mailings/m1")).json()
        return found

    await eventually(look, lambda found: found["recipients_removed_at"] is not None)
    await eventually(lambda: recipients(actions.service.pool), lambda left: not left)
    (item,) = (await actions.http.get("/v1/mailings")).json()["items"]
    assert item["recipients_removed_at"] is not None
    assert item["counts"] == {}
