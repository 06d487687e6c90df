"""Operators change pending retries; schedules of tenants; the limit of a receiving domain; unknown texts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from returpost.contracts import Evidence
from returpost.contracts.routing import sender_queue
from services.classifier.app import create
from services.classifier.settings import Settings
from tests.classifier.model import Input, message, moment
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

MORNING = 600
"""Minutes after which all is due."""


class Clock:
    """Moves when it is told to."""

    def __init__(self) -> None:
        self.now = moment(0)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def classifier(harness: Harness, clock: Clock) -> AsyncIterator[RunningService]:
    settings = {"retry_jitter": 0, "dispatch_interval": timedelta(milliseconds=20), "retry_domain_limit": 10}
    async with harness.running(create, Settings, "classifier", clock, **settings) as running:
        running.http.headers["Authorization"] = f"Bearer {harness.token(tenant='*')}"
        running.http.params = running.http.params.set("tenant", TENANT)
        yield running


async def tell(harness: Harness, *given: Input, **changes: Any) -> None:
    """Send bounces, and wait until they have been judged."""
    wanted = len(await harness.fetch("classifier", "SELECT FROM verdicts")) + len(given)
    await harness.send(*[message(one, **changes) for one in given])
    await eventually(lambda: harness.fetch("classifier", "SELECT FROM verdicts"), lambda rows: len(rows) == wanted)


async def states(harness: Harness) -> dict[str, int]:
    rows = await harness.fetch("classifier", "SELECT state, count(*) AS count FROM retries GROUP BY state")
    return {row["state"]: row["count"] for row in rows}


async def do(running: RunningService, action: str, *, dry_run: bool = False, **choice: Any) -> int:
    body = {"action": action, "selection": choice, "dry_run": dry_run}
    answer = await running.http.post("/v1/retries/actions", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["retries"])


async def commands(harness: Harness, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    async def look() -> int:
        found.extend(await harness.take_events(sender_queue("news")))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    assert len(found) == number
    return [command["data"] for command in found]


async def test_what_is_dropped_is_not_asked_for_until_it_is_resumed(
    harness: Harness, classifier: RunningService, clock: Clock
) -> None:
    await tell(harness, Input("full", 1, 0), Input("full", 2, 0), Input("full", 3, 0, "m2"), contact="c-17")
    assert await do(classifier, "drop", mailing="m1", dry_run=True) == 2
    assert await states(harness) == {"waiting": 3}
    assert await do(classifier, "drop", mailing="m1", reason="mailbox_full", domain="EXAMPLE.com") == 2
    assert await do(classifier, "drop", mailing="m1") == 0
    clock.now = moment(MORNING)
    (other,) = await commands(harness, 1)
    assert (other["mailing"], other["contact"], other["attempt"], other["reason"]) == ("m2", "c-17", 2, "mailbox_full")
    assert await states(harness) == {"dropped": 2, "requested": 1}
    assert await do(classifier, "resume", all=True) == 2
    assert {command["mailing"] for command in await commands(harness, 2)} == {"m1"}
    audit = (await classifier.http.get("/v1/retries/actions")).json()["items"]
    assert [(line["action"], line["retries"], line["actor"]) for line in audit] == [
        ("resume", 2, "test"), ("drop", 0, "test"), ("drop", 2, "test"),
    ]  # fmt: skip
    assert {name: value for name, value in audit[2]["selection"].items() if value} == {
        "mailing": "m1", "reason": "mailbox_full", "domain": "EXAMPLE.com",
    }  # fmt: skip


async def test_a_delivery_after_the_drop_is_not_resumed(
    harness: Harness, classifier: RunningService, clock: Clock
) -> None:
    await tell(harness, Input("full", 1, 0))
    assert await do(classifier, "drop", all=True) == 1
    await harness.send(message(Input("delivered", 1, 9)), detail="delivered")
    await eventually(lambda: states(harness), lambda seen: seen == {"recovered": 1})
    assert await do(classifier, "resume", all=True) == 1
    assert await states(harness) == {"recovered": 1}


async def test_run_now_keeps_the_limit_of_each_domain(
    harness: Harness, classifier: RunningService, clock: Clock
) -> None:
    await tell(harness, *(Input("full", n, 0) for n in range(25)))
    clock.now = moment(1)
    assert await do(classifier, "run_now", all=True) == 25
    await commands(harness, 10)
    for minute in (2, 3):
        assert (await states(harness))["waiting"] == 25 - 10 * (minute - 1)
        clock.now = moment(minute) + timedelta(seconds=55)  # the last second of the minute that each was put off to
        await commands(harness, 10 if minute == 2 else 5)
    assert await states(harness) == {"requested": 25}


async def test_a_selection_needs_a_condition(classifier: RunningService) -> None:
    choices: tuple[dict[str, object], ...] = (
        {},
        {"all": True, "mailing": "m1"},
        {"recipients": []},
        {"weather": "fine"},
        {"reason": "x"},
    )
    for choice in choices:
        answer = await classifier.http.post("/v1/retries/actions", json={"action": "drop", "selection": choice})
        assert answer.status_code == 422, choice


async def test_only_operators_change_retries(harness: Harness, classifier: RunningService) -> None:
    body = {"action": "drop", "selection": {"all": True}}
    for token in (harness.token(tenant="*", scopes=("read", "write")), harness.token(scopes=("operate",))):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await classifier.http.post("/v1/retries/actions", json=body, headers=headers)
        assert answer.status_code == 403


async def test_each_tenant_has_its_own_schedule(harness: Harness, classifier: RunningService, clock: Clock) -> None:
    read = await classifier.http.get("/v1/retry-settings")
    assert read.json()["delays"] == ["5m", "30m", "2h", "8h", "1d"]
    wanted = {"delays": ["1h", "2h"], "by_reason": {"greylisted": ["90s"]}, "domain_limit": 0}
    saved = await classifier.http.put("/v1/retry-settings", json=wanted, headers={"If-Match": read.headers["ETag"]})
    assert saved.status_code == 200, saved.text
    again = (await classifier.http.get("/v1/retry-settings")).json()
    assert {name: again[name] for name in wanted} == wanted
    assert (again["version"], again["changed_by"]) == (1, "test")
    await tell(harness, Input("full", 1, 0), Input("grey", 2, 0))
    await harness.send(message(Input("full", 3, 0), "rival"))
    await eventually(lambda: harness.fetch("classifier", "SELECT FROM retries"), lambda rows: len(rows) == 3)
    rows = await harness.fetch("classifier", "SELECT written, due FROM retries")
    due = {row["written"]: row["due"] - moment(0) for row in rows}
    assert due == {
        "U1@example.com": timedelta(hours=1),
        "U2@example.com": timedelta(seconds=90),
        "U3@example.com": timedelta(minutes=5),
    }


async def test_a_change_over_an_older_version_is_refused(classifier: RunningService) -> None:
    wanted = {"delays": ["1h"], "domain_limit": 0}

    async def put(version: str | None) -> int:
        headers = {} if version is None else {"If-Match": version}
        return (await classifier.http.put("/v1/retry-settings", json=wanted, headers=headers)).status_code

    assert await put(None) == 422
    assert sorted(await asyncio.gather(put('"0"'), put('"0"'), put('"0"'))) == [200, 412, 412]
    assert await put('"0"') == 412
    assert await put('"1"') == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"delays": ["soon"], "domain_limit": 0},
        {"delays": ["1h"] * 51, "domain_limit": 0},
        {"delays": ["1h"], "domain_limit": -1},
        {"delays": ["1h"], "domain_limit": 0, "by_reason": {"weather": ["1h"]}},
    ],
)
async def test_a_wrong_schedule_is_refused(classifier: RunningService, wrong: dict[str, Any]) -> None:
    answer = await classifier.http.put("/v1/retry-settings", json=wanted_with(wrong), headers={"If-Match": "0"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("body.")


def wanted_with(wrong: dict[str, Any]) -> dict[str, Any]:
    return {"by_reason": {}} | wrong


async def test_what_no_rule_knows_is_grouped(harness: Harness, classifier: RunningService) -> None:
    texts = [f"550 the flux of u{n}@example.com is out of joint at mx{n}.example.net" for n in range(3)]
    for n, text in enumerate([*texts, "554 wibble", "550 5.1.1 user unknown"]):
        await tell(harness, Input("dead", n, 0), evidence=Evidence(diagnostic=text, reply_code=int(text[:3])))
    found = (await classifier.http.get("/v1/unknown-texts", params={"since": "2026-01-01T00:00:00Z"})).json()["items"]
    assert [(group["text"], group["bounces"]) for group in found] == [
        ("550 the flux of <address> is out of joint at <host>", 3),
        ("554 wibble", 1),
    ]
    await tell(harness, Input("dead", 0, 0), evidence=Evidence(diagnostic=texts[0], reply_code=550), time=moment(1))
    later = (await classifier.http.get("/v1/unknown-texts", params={"since": "2026-01-03T00:00:00Z"})).json()["items"]
    assert later == []


async def test_a_block_that_crossed_the_bounce_is_told_as_what_will_be_decided(
    harness: Harness, classifier: RunningService
) -> None:
    """Both were taken at the same time: neither saw the other, and the retry stands as one that waits."""
    await tell(harness, Input("full", 1, 0), Input("full", 2, 0))
    await eventually(lambda: states(harness), lambda found: found == {"waiting": 2})
    await harness.fetch("classifier", "INSERT INTO blocks SELECT tenant, address, 1, true FROM retries LIMIT 1")
    counts = (await classifier.http.get("/v1/retries/counts")).json()["items"]
    assert {row["state"]: row["count"] for row in counts} == {"dropped": 1, "waiting": 1}
    waiting = (await classifier.http.get("/v1/retries", params={"state": "waiting"})).json()["items"]
    assert len(waiting) == 1
    assert await do(classifier, "drop", dry_run=True, all=True) == 1
    assert await do(classifier, "run_now", all=True) == 1
    assert len(await commands(harness, 1)) == 1
