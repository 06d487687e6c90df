"""The runbook of a poison flood: the incident is made, and the commands of the page are run as they stand there."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from returpost.contracts import DeliveryRecorded
from returpost.contracts.cloudevents import Event
from shared.http.auth import ALL_TENANTS
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from shared.settings import ServiceSettings
from tests.replay.consumers import QUEUE, recorded
from tests.support.command_line import CommandLine, commands, serving
from tests.support.harness import Harness, eventually
from tests.support.service_process import service_process

COUNT = 40
SOME_ID = "1b7f0f4e-0000-4000-8000-000000000000"
SOME_FINGERPRINT = "5f1c9e0b7a6d3c21"


@pytest.mark.anyio
@pytest.mark.services
async def test_poison_flood_is_mended_by_its_runbook(harness: Harness, tmp_path: Path) -> None:
    broken = True
    processed = set[str]()

    async def handle(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
        if broken:
            raise KeyError("a bad deploy")
        processed.update(event.id for event in events)

    def create(settings: ServiceSettings) -> Service[ServiceSettings]:
        service = Service("actions", settings, description="", stateless=True)
        service.consume(QUEUE, DeliveryRecorded, handle)
        return service

    token = harness.token(tenant=ALL_TENANTS)
    async with (
        harness.running(create, ServiceSettings, "actions", database_url=None) as actions,
        serving(actions.service.app) as actions_url,
        service_process(harness, "replay") as replay,
        httpx.AsyncClient(base_url=replay.url, headers={"Authorization": f"Bearer {token}"}) as http,
    ):
        typed = CommandLine({"replay": replay.url, "actions": actions_url}, token, tmp_path)
        events = [recorded(n) for n in range(COUNT)]
        for one in events:
            await harness.send(one, detail="sent")
        breaker = actions.service.subscribers[0].consumer.breaker
        await eventually(lambda: asyncio.sleep(0, breaker.is_open))

        async def rows() -> list[dict[str, str]]:
            found: list[dict[str, str]] = (await http.get("/v1/dead-letters")).json()["items"]
            return found

        kept = await eventually(rows, lambda seen: len(seen) == breaker.limits.failures)
        for line in commands("poison-flood.md"):
            if "queues resume" in line:
                broken = False  # the page says: deploy the release that mends it
            identity = kept[0]["id"]
            if "jobs resume" in line:
                identity = (await http.get("/v1/jobs")).json()["items"][0]["id"]
            line = line.replace("classifier.bounce-received", QUEUE).replace(SOME_ID, identity)
            line = line.replace(SOME_FINGERPRINT, kept[0]["fingerprint"])
            out = await typed.run(line)
            if "dead-letters list" in line:
                assert "KeyError" in out
        assert await rows() == [], "resolved: the group is gone"
        (job,) = (await http.get("/v1/jobs")).json()["items"]
        assert (job["state"], job["failed"]) == ("finished", 0)
        await eventually(lambda: asyncio.sleep(0, len(processed)), lambda count: count == COUNT)
        actions_audit = [entry["action"] for entry in (await http.get("/v1/audit")).json()["items"]]
        assert {"pause", "resume", "replay", "unpark"} <= set(actions_audit)
