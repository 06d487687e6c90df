"""Queues that an operator pauses, resumes and drains, over the real broker."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from returpost.contracts import ConsumerPaused, ConsumerResumed, DeliveryRecorded
from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import ARCHIVE, DEAD_LETTERS
from shared.http.auth import ALL_TENANTS
from shared.messaging.control.pauses import Pauses
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from shared.settings import ServiceSettings
from tests.replay.consumers import QUEUE, recorded
from tests.support.harness import Harness, RunningService, eventually

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


def paused(seconds: int, cause: Any = "operator") -> ConsumerPaused:
    return ConsumerPaused(queue=QUEUE, cause=cause, time=NOW + timedelta(seconds=seconds), by="ann", why="a look")


def test_the_latest_wins_in_any_order_and_again() -> None:
    told: list[ConsumerPaused | ConsumerResumed] = []
    pauses = Pauses(told.append)
    resumed = ConsumerResumed(queue=QUEUE, cause="operator", time=NOW + timedelta(seconds=2))
    for one in (paused(1), resumed, paused(1), resumed, paused(3, "failing")):
        pauses.apply(one)
    assert told == [paused(1), resumed], "what is read again, or is no operator's, changes nothing"


@asynccontextmanager
async def working(harness: Harness, processed: list[str]) -> AsyncIterator[RunningService]:
    async def handle(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
        processed.extend(event.id for event in events)

    def create(settings: ServiceSettings) -> Service[ServiceSettings]:
        service = Service("tester", settings, description="", stateless=True)
        service.consume(QUEUE, DeliveryRecorded, handle)
        return service

    async with harness.running(create, ServiceSettings, "tester") as running:
        running.http.headers["Authorization"] = f"Bearer {harness.token(tenant=ALL_TENANTS)}"
        yield running


async def consumer(running: RunningService) -> tuple[bool, Any]:
    health = (await running.http.get("/health/ready")).json()
    return health["ok"], health["consumers"][QUEUE]


@pytest.mark.anyio
@pytest.mark.services
async def test_a_pause_outlasts_a_restart_and_a_drain_loses_nothing(harness: Harness) -> None:
    processed: list[str] = []
    place = f"/v1/consumers/{QUEUE}"
    async with working(harness, processed) as running:
        assert (await running.http.post(f"{place}/pause")).status_code == 422, "why is asked"
        assert (await running.http.post(f"{place}/drain?why=a+test")).status_code == 409, "it is not paused"
        tenants = {"Authorization": f"Bearer {harness.token()}"}
        assert (await running.http.post(f"{place}/pause?why=a+test", headers=tenants)).status_code == 403
        answer = await running.http.post(f"{place}/pause", params={"why": "bad deploy"})
        assert (answer.json()["by"], answer.json()["why"]) == ("test", "bad deploy")
        await eventually(lambda: consumer(running), lambda seen: not seen[1]["receiving"])
        ok, state = await consumer(running)
        assert ok, "the service is ready"
        assert not state["ok"]
        assert (state["paused_by"]["by"], state["paused_by"]["why"]) == ("test", "bad deploy")
        await harness.send(*(recorded(n) for n in range(5)), detail="sent")
        await eventually(lambda: harness.depth(QUEUE), bool)
    async with working(harness, processed) as running:
        ok, state = await consumer(running)
        assert ok
        assert state["paused_by"]["why"] == "bad deploy", "it is known before the first message is taken"
        assert (state["receiving"], processed) == (False, [])
        drained = (await running.http.post(f"{place}/drain", params={"why": "look at them"})).json()
        assert (drained["messages"], drained["dead_letters"]) == (1, 5), "one message of five events"
        assert await harness.depth(QUEUE) == 0
        letters = await harness.take(DEAD_LETTERS)
        assert {one.headers["x-returpost-error"] for one in letters} == {"drained by test: look at them"}
        assert {one.headers["x-returpost-fingerprint"] for one in letters} == {drained["fingerprint"]}
        assert sorted(json.loads(one.body)["id"] for one in letters) == sorted(recorded(n).id for n in range(5))
        await harness.send(recorded(9), detail="sent")
        answer = await running.http.post(f"{place}/resume", params={"why": "mended"})
        assert answer.json() == {"queue": QUEUE, "was_open": False, "was_paused": True}
        await eventually(lambda: _same(processed), lambda seen: seen == [recorded(9).id])
    async with working(harness, processed) as running:
        assert (await consumer(running))[1]["paused_by"] is None
    # What operators did is in the archive; how much a stream holds is told a moment later.
    await eventually(lambda: harness.depth(ARCHIVE), lambda held: held >= 3)


async def _same(seen: list[str]) -> list[str]:
    return list(seen)
