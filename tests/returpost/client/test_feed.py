"""The mirror and the feed with nothing but a tenant's token: what they say is what is blocked, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from returpost.client import BlockFeed, Mirror, feed as feed_module, mirror as mirror_module
from returpost.contracts.enums import BlockCause
from returpost.errors import InvalidSettings
from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.returpost.client.test_mirror import block, clear, has, served
from tests.support.harness import TENANT, Harness, RunningService, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "RECONNECT", 0.05)
    monkeypatch.setattr(feed_module, "RECONNECT", 0.05)
    monkeypatch.setattr(feed_module, "EVENTS_AT_ONCE", 7)


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        yield running


def token(harness: Harness) -> str:
    return harness.token(scopes=("check",))


async def domains(running: RunningService, action: str, *names: str) -> None:
    answer = await running.http.post(f"/v1/domain-blocks{action}", json={"domains": names, "note": "test"})
    answer.raise_for_status()


async def test_the_mirror_follows_the_feed(harness: Harness, blocklist: RunningService) -> None:
    everybody = [f"u{n}@example.com" for n in range(20)]
    for each in everybody:
        await block(blocklist, each)
    await clear(blocklist, *everybody[:3])
    other = {"Authorization": f"Bearer {harness.token(tenant='other')}"}
    async with served(blocklist) as url, Mirror(url, token(harness), TENANT) as mirror:
        await mirror.ready(30)
        await has(mirror, *everybody[3:])
        (
            await blocklist.http.post("/v1/blocks", json={"addresses": ["z@example.com"]}, headers=other)
        ).raise_for_status()
        await block(blocklist, "bob@blåbær.example")
        await clear(blocklist, *everybody)
        await has(mirror, "bob@XN--BLBR-ROAH.example")
        assert "z@example.com" not in mirror
        assert mirror.age < 30
        erase = {"addresses": ["bob@blåbær.example"], "now": True}
        await block(blocklist, "ann@example.com")
        (await blocklist.http.post("/v1/addresses/erase", json=erase)).raise_for_status()
        await has(mirror, "ann@example.com")


@pytest.mark.parametrize("by_stream", [False, True])
async def test_the_mirror_knows_whole_domains(
    harness: Harness, blocklist: RunningService, by_stream: bool, tmp_path: Path
) -> None:
    amqp_url = harness.amqp_url if by_stream else None
    await domains(blocklist, "", "gone.example")
    await block(blocklist, "ann@gone.example")
    asked = ["ann@gone.example", "Bob <bob@GONE.example>", "cid@mail.gone.example", "dan@example.com"]
    async with served(blocklist) as url:
        async with Mirror(url, token(harness), TENANT, amqp_url=amqp_url, folder=tmp_path) as mirror:
            await mirror.ready(30)
            assert mirror.skip(asked) == asked[:2]
            assert mirror.skip(["bob@gone.example", "cid@mail.gone.example"]) == ["bob@gone.example"]
            assert [address in mirror for address in asked] == [True, True, False, False]
            reasons = [mirror.look_up(address) for address in asked]
            assert [found and found.cause for found in reasons] == [BlockCause.MANUAL, BlockCause.DOMAIN, None, None]
            assert (len(mirror), mirror.domains) == (1, ["gone.example"])
            await domains(blocklist, "", "*.gone.example")
            await domains(blocklist, "/lift", "gone.example")
            await eventually(lambda: asyncio.sleep(0, mirror.skip(asked)), lambda seen: seen == [asked[0], asked[2]])
        async with Mirror(url, token(harness), TENANT, amqp_url=amqp_url, folder=tmp_path) as again:
            assert again.skip(asked) == [asked[0], asked[2]]
            assert again.domains == ["*.gone.example"]


async def test_it_goes_on_after_an_outage_and_a_restart(
    harness: Harness, blocklist: RunningService, tmp_path: Path
) -> None:
    await block(blocklist, "ann@example.com", "bob@example.com")
    async with served(blocklist) as url, proxy(url) as way:
        async with Mirror(way.url, token(harness), TENANT, folder=tmp_path) as mirror:
            await mirror.ready(30)
            await way.cut()
            await block(blocklist, "cid@example.com")
            await clear(blocklist, "ann@example.com")
            assert "ann@example.com" in mirror  # as it was
            await way.mend()
            await has(mirror, "bob@example.com", "cid@example.com")
        await clear(blocklist, "bob@example.com")
        async with Mirror(url, token(harness), TENANT, folder=tmp_path) as again:
            assert "bob@example.com" in again  # out of the folder, at once
            await has(again, "cid@example.com")
        lines = (tmp_path / f"blocks-{TENANT}.jsonl").read_text().splitlines()
        assert sum('"ann@example.com"' in line for line in lines) == 2, "blocked and lifted once: it was not taken anew"


async def test_a_reader_goes_on_where_it_stopped(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, *(f"u{n}@example.com" for n in range(3)))
    await domains(blocklist, "", "gone.example")
    async with served(blocklist) as url:

        async def read(after: str, count: int) -> tuple[list[dict[str, Any]], str]:
            events = list[dict[str, Any]]()
            async with aclosing(BlockFeed(url, token(harness), TENANT).read(after)) as parts:
                async for part in parts:
                    events, after = [*events, *part.events], part.next_after
                    if len(events) >= count:
                        break
            return events, after

        events, after = await read("", 4)
        assert [one.get("address") or one["domain"] for one in events] == [
            *(f"u{n}@example.com" for n in range(3)), "gone.example"]  # fmt: skip
        coming = asyncio.create_task(read(after, 1))
        await clear(blocklist, "u1@example.com")
        events, _ = await coming
        assert [(one["type"], one["address"]) for one in events] == [("address.unblocked", "u1@example.com")]


async def test_another_tenants_token_is_refused(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, "ann@example.com")
    theirs = harness.token(tenant="other", scopes=("check",))
    async with served(blocklist) as url:
        for wrong in (theirs, "nonsense", harness.token(scopes=("send",))):
            async with Mirror(url, wrong, TENANT) as mirror:
                with pytest.raises(InvalidSettings, match="refuses"):
                    await mirror.ready(30)
        async with Mirror(url, theirs, "other") as mirror:
            await mirror.ready(30)
            assert len(mirror) == 0
