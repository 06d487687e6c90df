"""`kill -9` of replay in the middle of a job: nothing is lost, nothing marked wrong, and the job goes on by itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from shared.http.auth import ALL_TENANTS
from tests.replay.consumers import consuming, publish_dead_letters, recorded
from tests.support.harness import Harness, eventually
from tests.support.service_process import service_process

pytestmark = [pytest.mark.anyio, pytest.mark.services]

COUNT = 600
BODY = {
    "selection": {"all": True}, "why": "a test", "canary": 0, "slow_start": False, "rate": 150, "stop_after": None,
}  # fmt: skip


@asynccontextmanager
async def replaying(harness: Harness) -> AsyncIterator[httpx.AsyncClient]:
    """Run replay as a process of its own, until the block ends: then it is killed."""
    headers = {"Authorization": f"Bearer {harness.token(tenant=ALL_TENANTS)}"}
    async with (
        service_process(harness, "replay") as process,
        httpx.AsyncClient(base_url=process.url, headers=headers) as http,
    ):
        yield http


def getting(http: httpx.AsyncClient, path: str, **query: Any) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def get() -> dict[str, Any]:
        found: dict[str, Any] = (await http.get(path, params=query)).raise_for_status().json()
        return found

    return get


async def test_a_killed_replay_goes_on_and_marks_nothing_wrong(harness: Harness) -> None:
    events = [recorded(n, "poison" if n == 500 else "m1") for n in range(COUNT)]
    await publish_dead_letters(harness, *events)
    processed: list[str] = []
    async with consuming(harness, {"poison"}, processed):
        async with replaying(harness) as http:
            await eventually(getting(http, "/v1/dead-letters"), lambda seen: seen["total"] == COUNT)
            job = (await http.post("/v1/dead-letters/replay", json=BODY)).raise_for_status().json()["job"]
        for reached in (150, 400):
            async with replaying(harness) as http:
                done = await eventually(getting(http, f"/v1/jobs/{job}"), lambda seen: seen["done"] >= reached)  # noqa: B023
                assert done["done"] < COUNT, "it is killed in the middle"
        async with replaying(harness) as http:
            done = await eventually(getting(http, f"/v1/jobs/{job}"), lambda seen: seen["state"] == "finished")
            assert [done[name] for name in ("processed", "failed", "pending", "skipped")] == [COUNT - 1, 1, 0, 0]
            for state, count in (("processed", COUNT - 1), ("failed", 1), ("dead", 1), ("pending", 0)):
                assert (await getting(http, "/v1/dead-letters", state=state)())["total"] == count, state
    assert set(processed) == {one.id for one in events if one.data.mailing != "poison"}
