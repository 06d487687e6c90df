"""An event that kills every process that takes it becomes a dead letter, and the rest is processed."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.local.supervisor import Patience, Program, Supervisor
from services.replay.app import create as create_replay
from services.replay.settings import Settings as ReplaySettings
from shared.messaging.quarantine import deaths_of
from tests.shared.messaging.test_consumer import counted, recorded
from tests.support.dying_service import DEADLY
from tests.support.harness import TOKEN_KEY, Harness, RunningService, eventually


@pytest.mark.parametrize(
    ("headers", "deaths"),
    [
        ({}, 0),
        ({"x-delivery-count": 2}, 2),
        ({"x-delivery-count": 0, "x-acquired-count": 2}, 2),
        ({"x-delivery-count": 1, "x-returpost-attempt": 7}, 2),
        ({"x-delivery-count": "many"}, 0),
    ],
)
def test_deaths_are_counted_from_what_the_broker_says(headers: dict[str, Any], deaths: int) -> None:
    assert deaths_of(SimpleNamespace(headers=headers)) == deaths  # type: ignore[arg-type]


@pytest.fixture
async def replay(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create_replay, ReplaySettings, "replay") as running:
        yield running


@pytest.mark.anyio
@pytest.mark.services
@pytest.mark.faults
async def test_an_event_that_kills_processes_stops_nothing(harness: Harness, replay: RunningService) -> None:
    """It travels with two hundred others, some of them in one message with it; they take effect, and it is kept."""
    await harness.fetch("classifier", "CREATE TABLE probe (id text PRIMARY KEY)")
    await harness.fetch("classifier", "GRANT ALL ON probe TO returpost_classifier")
    deadly = recorded(999, mailing=DEADLY)
    for start in range(0, 200, 4):
        together = [recorded(n) for n in range(start, start + 4)]
        await harness.send(*together, *([deadly] if start == 100 else []), detail="delivered")
    environment = os.environ | {
        "RETURPOST_AMQP_URL": harness.amqp_url,
        "RETURPOST_DATABASE_URL": harness.database_urls["classifier"],
        "RETURPOST_TOKEN_KEYS": TOKEN_KEY,
    }
    program = Program("dying", (sys.executable, "-m", "tests.support.dying_service"), environment)
    lines: list[str] = []
    patience = Patience(first_delay=0.01, longest_delay=0.01)
    supervisor = Supervisor([program], lambda _, line: lines.append(line), patience)
    running = asyncio.create_task(supervisor.run())

    async def letters() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await replay.http.get("/v1/dead-letters")).json()["items"]
        return [row for row in found if row["attempt"] > 1]

    async def deaths() -> int:
        return sum("ended (killed by SIGKILL)" in line for line in lines)

    try:
        for number in range(1, 5):  # one by one: a start takes seconds
            await eventually(deaths, number.__le__)
        (letter,) = await eventually(letters)
        assert await eventually(lambda: counted(harness), lambda count: count >= 200) == 200
    finally:
        supervisor.stop()
        await running
    shown = await replay.http.get(f"/v1/dead-letters/{letter['id']}/body", params={"why": "a test"})
    assert DEADLY in shown.text
    assert letter["error"].startswith("quarantined")
    assert await deaths() <= 5, "two while it travels with others, one alone; by itself two more"
    assert await letters() == [letter]
