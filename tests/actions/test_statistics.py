"""Statistics are held against the rows, counted in Python: by day, reason, domain and mailing; and counted again."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.actions.app import create
from services.actions.settings import Settings
from services.actions.statistics.aggregator import aggregate_next
from services.actions.statistics.domain import change, rates
from services.actions.statistics.repository import COUNTS
from shared.database.pool import Pool
from tests.actions.builders import apply, blocked, erased, moment, result, unblocked, verdict
from tests.support.harness import Harness, RunningService, eventually

DAY = 24 * 60
ZERO = dict.fromkeys(COUNTS, 0)


def test_rates_are_of_what_was_sent_and_of_what_was_accepted() -> None:
    counts = ZERO | {"sent": 10, "hard": 1, "soft": 1, "delivered": 6, "opened": 4, "complained": 2}
    assert rates(counts) == {
        "success_rate": 0.8, "delivered_rate": 0.6, "hard_rate": 0.1, "soft_rate": 0.1, "complaint_rate": 0.25,
        "open_rate": 0.5,
    }  # fmt: skip
    assert set(rates(ZERO).values()) == {None}
    assert rates(ZERO | {"sent": 1, "hard": 1})["open_rate"] is None
    assert change(counts, ZERO | {"sent": 2, "soft": 1}) == 0.3
    assert change(counts, ZERO) is change(counts, None) is change(ZERO, counts) is None


pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture
async def actions(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "actions", statistics_pause=timedelta(milliseconds=50)) as running:
        yield running


async def counted(actions: RunningService, **query: Any) -> dict[str, Any]:
    """Return the statistics when all changes are counted."""

    async def look() -> dict[str, Any]:
        answer = await actions.http.get("/v1/statistics", params={"first": "2026-01-01", "last": "2026-01-31"} | query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    return await eventually(look, lambda seen: seen["pending"] == 0)


async def story(pool: Pool) -> None:
    """Ten are sent on the 2nd; one opens on the 3rd, one complains on the 4th, five come back, of which two heal."""
    await apply(pool, *(result("sent", n, 0) for n in range(10)))
    await apply(pool, *(result("delivered", n, 1) for n in (5, 6)), result("opened", 6, DAY))
    await apply(pool, result("complained", 7, 2 * DAY), result("unsubscribed", 8, DAY))
    await apply(pool, *(verdict("hard", n, DAY) for n in (0, 1)), *(verdict("soft", n, 2) for n in (2, 3, 4)))
    await apply(pool, result("delivered", 3, 3 * DAY), result("opened", 4, 4 * DAY))
    await apply(pool, result("sent", 0, 10 * DAY, "m2"), result("sent", 1, 10 * DAY, "m2"))
    await apply(pool, verdict("hard", 1, 10 * DAY, "m2", written="U1@Elsewhere.example"))
    await apply(pool, blocked(0, 1, 5), blocked(1, 1, DAY), blocked(2, 1, DAY), unblocked(2, 2, DAY))


async def test_by_day_reason_and_domain(actions: RunningService) -> None:
    await story(actions.service.pool)
    found = await counted(actions, mailing="m1")
    expected = ZERO | {
        "sent": 10, "delivered": 5, "hard": 2, "soft": 1, "complained": 1, "opened": 2, "unsubscribed": 1,
        "recovered": 2,
    }  # fmt: skip
    assert {name: found["totals"][name] for name in COUNTS} == expected
    assert found["totals"]["success_rate"] == 0.7
    told = {day["day"]: {name: day[name] for name in COUNTS if day[name]} for day in found["days"]}
    assert told == {
        "2026-01-02": {"sent": 10, "delivered": 2, "soft": 1},
        "2026-01-03": {"hard": 2, "opened": 1, "unsubscribed": 1},
        "2026-01-04": {"delivered": 1, "complained": 1},
        "2026-01-05": {"delivered": 1, "recovered": 1},
        "2026-01-06": {"delivered": 1, "opened": 1, "recovered": 1},
    }
    reasons = {one["reason"]: (one["hard"], one["soft"], one["recovered"]) for one in found["reasons"]}
    assert reasons == {"user_unknown": (2, 0, 0), "mailbox_full": (0, 1, 2)}
    (domain,) = found["domains"]
    assert (domain["domain"], domain["sent"], domain["hard_rate"]) == ("example.com", 10, 0.2)
    assert found["blocks"] == []


async def test_over_all_mailings_and_only_the_days_asked_for(actions: RunningService) -> None:
    await story(actions.service.pool)
    found = await counted(actions)
    assert (found["totals"]["sent"], found["totals"]["hard"]) == (13, 3)
    assert [(one["domain"], one["sent"], one["hard"]) for one in found["domains"]] == [
        ("example.com", 12, 2),
        ("elsewhere.example", 1, 1),
    ]
    assert [(day["day"], day["blocked"], day["lifted"]) for day in found["blocks"]] == [
        ("2026-01-02", 1, 0),
        ("2026-01-03", 2, 1),
    ]
    assert found["blocks"][1]["causes"] == {"dead_address": 2, "cleared": 1}
    assert (await counted(actions, first="2026-01-03", last="2026-01-05"))["totals"]["sent"] == 0
    refused = await actions.http.get("/v1/statistics", params={"first": "2026-01-02", "last": "2026-01-01"})
    assert refused.status_code == 422
    assert (await actions.http.get("/v1/statistics", params={"last": "0001-01-01"})).status_code == 200


async def test_from_one_mailing_to_the_next(actions: RunningService) -> None:
    await story(actions.service.pool)
    await counted(actions)
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 1}
    while query.get("cursor", "") is not None:
        page = (await actions.http.get("/v1/statistics/mailings", params=query)).json()
        found += page["items"]
        query["cursor"] = page["next_cursor"]
    assert [(one["mailing"], one["sent"], one["success_rate"], one["success_change"]) for one in found] == [
        ("m2", 3, 0.666667, -0.033333),
        ("m1", 10, 0.7, None),
    ]


async def test_mailings_are_found_by_a_part_of_the_name_and_by_their_day(actions: RunningService) -> None:
    await story(actions.service.pool)
    await counted(actions)
    assert (await actions.http.put("/v1/mailings/m1", json={"name": "Høstbrevet", "subject": "50% off"})).is_success

    async def found(**query: Any) -> list[tuple[str, float | None]]:
        items = (await actions.http.get("/v1/statistics/mailings", params=query)).json()["items"]
        return [(one["mailing"], one["success_change"]) for one in items]

    assert len(await found()) == 2
    assert await found(q="HØST") == await found(q="50% O") == [("m1", None)]
    assert await found(q="m2") == [("m2", None)], "the one before is not there to be compared with"
    assert await found(q="%") == [("m1", None)]
    assert await found(q="nothing") == []
    days = {
        one["mailing"]: one["at"][:10] for one in (await actions.http.get("/v1/statistics/mailings")).json()["items"]
    }
    for mailing, day in days.items():
        assert mailing in {name for name, _ in await found(first=day, last=day)}
    assert await found(last="2000-01-01") == await found(first="2100-01-01") == []


async def test_only_the_largest_domains_and_those_that_return_most_have_a_row(actions: RunningService) -> None:
    pool = actions.service.pool
    await pool.execute(
        "INSERT INTO recipients (tenant, mailing, address, sent_at) SELECT 'acme', 'm1', "
        "'u' || n || '@d' || n % 300 || '.example', $1 FROM generate_series(1, 1500) AS n",
        moment(0),
    )
    await apply(pool, *(verdict("hard", n, 1, written=f"u{n}@d299.example") for n in range(3)))
    found = await counted(actions)
    domains = {one["domain"]: one["sent"] for one in found["domains"]}
    assert sum(domains.values()) == found["totals"]["sent"] == 1503
    assert (len(domains), domains["d299.example"], found["domains"][-1]["domain"]) == (51, 8, None)
    assert found["domains"][0]["domain"] == "d299.example"


async def test_what_changes_is_counted_again_and_what_was_erased_no_longer(actions: RunningService) -> None:
    pool = actions.service.pool
    await story(pool)
    assert (await counted(actions))["totals"]["opened"] == 2
    await apply(pool, result("opened", 9, DAY))
    assert (await counted(actions))["totals"]["opened"] == 3
    await apply(pool, erased(0, 30 * DAY))
    found = await counted(actions)
    assert (found["totals"]["sent"], found["blocks"][0]["day"]) == (11, "2026-01-03")


async def test_a_change_that_is_not_committed_yet_is_waited_for(pool: Pool) -> None:
    """Who found the mailing noted already says nothing more of it: its rows are counted all the same."""
    async with pool.acquire() as slow, slow.transaction():
        await apply(pool, result("sent", 1, 0))
        await slow.execute(
            "INSERT INTO recipients (tenant, mailing, address, sent_at) VALUES ('acme', 'm1', 'x@example.com', now())"
        )
        await slow.execute("INSERT INTO statistics_due VALUES ('acme', 'mailing', 'm1') ON CONFLICT DO NOTHING")
        assert await aggregate_next(pool, 0) == 0
        assert await pool.fetchval("SELECT count(*) FROM statistics_due WHERE counted = 'mailing'") == 0

    async def at_last() -> bool:  # another test's transaction may be under way in the same server
        return await aggregate_next(pool, 0) > 0

    await eventually(at_last, bool)
    assert await pool.fetchval("SELECT sum(sent) FROM statistics WHERE split = 'day'") == 2
    assert await aggregate_next(pool, 0) == 0


async def test_tenants_are_apart(actions: RunningService, harness: Harness) -> None:
    await story(actions.service.pool)
    await counted(actions)
    other = {"Authorization": f"Bearer {harness.token(tenant='other')}"}
    found = (
        await actions.http.get("/v1/statistics", params={"first": "2026-01-01", "last": "2026-02-01"}, headers=other)
    ).json()
    assert (found["totals"]["sent"], found["days"], found["blocks"]) == (0, [], [])
    assert (await actions.http.get("/v1/statistics/mailings", headers=other)).json() == {
        "items": [],
        "next_cursor": None,
    }
