"""The feed: complete from the first block on by cursor, told at once, and of its own tenant alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.blocklist.app import create
from services.blocklist.settings import Settings
from shared.http.auth import ALL_TENANTS
from tests.blocklist.process import killed
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

PATH = "/v1/block-events"


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        running.http.headers["Authorization"] = f"Bearer {harness.token(tenant=ALL_TENANTS)}"
        yield running


async def post(running: RunningService, path: str, tenant: str = TENANT, **body: Any) -> None:
    answer = await running.http.post(path, json=body, params={"tenant": tenant})
    assert answer.is_success, answer.text


async def page(running: RunningService, tenant: str = TENANT, **query: Any) -> dict[str, Any]:
    answer = await running.http.get(PATH, params={"tenant": tenant, **query}, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def copy_of(events: list[dict[str, Any]], copy: dict[str, str] | None = None) -> dict[str, str]:
    """Return what a reader believes: the cause of each blocked address."""
    copy = dict(copy or {})
    for event in events:
        copy.pop(event["address"], None)
        if event["type"] == "address.blocked":
            copy[event["address"]] = event["cause"]
    return copy


async def sse(lines: AsyncIterator[str]) -> tuple[str, dict[str, Any]]:
    """Return id and data of the next event."""
    id_ = ""
    async for line in lines:
        if line.startswith("id: "):
            id_ = line[4:]
        if line.startswith("data: "):
            return id_, json.loads(line[6:])
    raise AssertionError("the stream has ended")


async def test_a_reader_that_follows_cursors_has_exactly_what_is_blocked(blocklist: RunningService) -> None:
    everybody = [f"u{n}@example.com" for n in range(25)]
    await post(blocklist, "/v1/blocks", addresses=everybody[:10], note="list")
    await post(blocklist, "/v1/blocks", tenant="other", addresses=["x@example.com"])
    for each in everybody[10:]:
        await post(blocklist, "/v1/suppressions", addresses=[each], cause="unsubscribed", stream="news")
    copy, after, parts = dict[str, str](), "0", 0
    while True:
        part = await page(blocklist, after=after, limit=4)
        copy, after, parts = copy_of(part["events"], copy), part["next_after"], parts + 1
        if not part["more"]:
            break
    assert (copy, parts > 3) == (
        dict.fromkeys(everybody[:10], "manual") | dict.fromkeys(everybody[10:], "unsubscribed"),
        True,
    )
    assert not part["reset"]
    assert part["events"][-1]["streams"] == ["news"]

    await post(blocklist, "/v1/blocks/clear", addresses=everybody[:12], note="cleaned")
    await post(blocklist, "/v1/subscriptions", addresses=everybody[20:21], stream="news")
    waited = await page(blocklist, after=after, wait=10)
    copy = copy_of(waited["events"], copy)
    assert copy == dict.fromkeys([*everybody[10:20], *everybody[21:]], "unsubscribed")
    lifts = {event["address"]: (event["cause"], event["note"]) for event in waited["events"]}
    assert lifts == dict.fromkeys(everybody[:10], ("cleared", "cleaned")) | {everybody[20]: ("subscribed", "")}

    await post(blocklist, "/v1/addresses/erase", addresses=everybody[15:16], now=True)
    again = await page(blocklist, after=after)
    assert again["reset"]
    assert copy_of(again["events"]) == {each: cause for each, cause in copy.items() if each != everybody[15]}
    anew = [await page(blocklist, after=after, limit=3)]
    while anew[-1]["more"]:
        anew.append(await page(blocklist, after=anew[-1]["next_after"], limit=3))
    assert [part["reset"] for part in anew] == [True, *[False] * (len(anew) - 1)]
    assert copy_of([event for part in anew for event in part["events"]]) == copy_of(again["events"])


async def test_events_are_pushed_at_once_and_continued_by_their_id(harness: Harness) -> None:
    params, headers = {"tenant": TENANT}, {"Accept": "text/event-stream"}
    own = {"Authorization": f"Bearer {harness.token(tenant=ALL_TENANTS)}"}

    async with killed(harness) as url, httpx.AsyncClient(base_url=url, headers=own, timeout=30) as http:

        async def block(address: str, tenant: str = TENANT) -> None:
            answer = await http.post("/v1/blocks", json={"addresses": [address]}, params={"tenant": tenant})
            assert answer.is_success

        async def listens() -> bool:
            try:
                return (await http.get("/health/live")).is_success
            except httpx.TransportError:
                return False

        await eventually(listens)
        async with http.stream("GET", PATH, params=params, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            await block("ann@example.com")
            first, data = await sse(lines)
            assert copy_of(data["events"]) == {"ann@example.com": "manual"}
            waiting = params | {"after": first, "wait": "20"}
            others = [asyncio.create_task(http.get(PATH, params=waiting)) for _ in range(20)]
            await block("x@example.com", "other")
            await block("bob@example.com")
            second, data = await sse(lines)
            assert copy_of(data["events"]) == {"bob@example.com": "manual"}
            for each in await asyncio.gather(*others):
                assert each.json() == data
        assert second > first
        async with http.stream("GET", PATH, params=params, headers=headers | {"Last-Event-ID": first}) as answer:
            assert await sse(answer.aiter_lines()) == (second, data)
        wrong = await http.get(PATH, params=params, headers=headers | {"Last-Event-ID": "soon"})
        assert wrong.status_code == 422


async def test_a_token_of_one_tenant_reads_nothing_of_another(harness: Harness, blocklist: RunningService) -> None:
    await post(blocklist, "/v1/blocks", tenant="other", addresses=["x@example.com"])
    own = {"Authorization": f"Bearer {harness.token(scopes=('check',))}"}
    assert (await blocklist.http.get(PATH, headers=own)).json()["events"] == []
    for accept in ("application/json", "text/event-stream"):
        answer = await blocklist.http.get(PATH, params={"tenant": "other"}, headers=own | {"Accept": accept})
        assert answer.status_code == 403
