"""The mirror over a real blocklist: what it says is what is blocked, after whatever happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from returpost.amqp.streams import Since
from returpost.client import Blocked, BlockStream, Mirror, SyncMirror, mirror as mirror_module, stream as stream_module
from returpost.client.stream import BlockEvent, Part
from returpost.contracts import DomainBlocked, DomainUnblocked
from returpost.contracts.enums import BlockCause
from returpost.contracts.routing import BLOCKS
from returpost.errors import InvalidSettings, Unavailable
from services.blocklist.app import create
from services.blocklist.settings import Settings
from tests.support.harness import TENANT, Harness, RunningService, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "RECONNECT", 0.05)
    monkeypatch.setattr(stream_module, "RECONNECT", 0.05)
    monkeypatch.setattr(mirror_module, "PROBE", 1.0)


@pytest.fixture
async def blocklist(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "blocklist") as running:
        yield running


@asynccontextmanager
async def served(running: RunningService) -> AsyncIterator[str]:
    """Serve the API of a running service on a port, without its life cycle."""
    server = uvicorn.Server(uvicorn.Config(running.service.app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: asyncio.sleep(0, server.started))
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def block(running: RunningService, *addresses: str) -> None:
    (await running.http.post("/v1/blocks", json={"addresses": addresses})).raise_for_status()


async def clear(running: RunningService, *addresses: str) -> None:
    (await running.http.post("/v1/blocks/clear", json={"addresses": addresses})).raise_for_status()


async def has(mirror: Mirror, *addresses: str) -> None:
    """Wait until exactly these are blocked in the mirror."""
    await eventually(lambda: asyncio.sleep(0, (len(mirror), [a for a in addresses if a not in mirror])),
                     lambda seen: seen == (len(addresses), []))  # fmt: skip


async def test_snapshot_then_stream(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, "Ann@example.com", "bob@blåbær.example")
    await clear(blocklist, "bob@blåbær.example")
    async with (
        served(blocklist) as url,
        Mirror(url, harness.token(scopes=("check",)), TENANT, amqp_url=harness.amqp_url) as mirror,
    ):
        await mirror.ready(30)
        assert len(mirror) == 1
        assert mirror.look_up("ann@EXAMPLE.com.") == Blocked(BlockCause.MANUAL, None)
        await block(blocklist, "bob@blåbær.example", "cid@example.com")
        await has(mirror, "ann@example.com", "bob@XN--BLBR-ROAH.example", "Cid Berg <CID@example.com>")
        asked = ["x@example.com", " ann@example.com", "bob@blåbær.example", "not an address", "Cid@Example.com"]
        assert mirror.skip(asked) == [asked[1], asked[2], asked[4]]
        assert mirror.skip(["ann@example.com", "CID@example.com", "dan@example.com"]) == [
            "ann@example.com", "CID@example.com"]  # fmt: skip
        await clear(blocklist, "ann@example.com")
        await has(mirror, "bob@blåbær.example", "cid@example.com")
        assert mirror.age < 30


async def test_other_tenants_stay_outside(harness: Harness, blocklist: RunningService) -> None:
    other = {"Authorization": f"Bearer {harness.token(tenant='other')}"}
    async with served(blocklist) as url, Mirror(url, harness.token(), TENANT, amqp_url=harness.amqp_url) as mirror:
        await mirror.ready(30)
        for _ in range(2):  # as snapshot and as event
            answer = await blocklist.http.post("/v1/blocks", json={"addresses": ["z@example.com"]}, headers=other)
            answer.raise_for_status()
        await block(blocklist, "ann@example.com")
        await has(mirror, "ann@example.com")
    assert "z@example.com" not in mirror


async def test_an_outage_is_made_up_for(harness: Harness, blocklist: RunningService) -> None:
    async with served(blocklist) as url, proxy(harness.amqp_url) as way:
        await block(blocklist, "ann@example.com", "bob@example.com")
        async with Mirror(url, harness.token(), TENANT, amqp_url=way.url) as mirror:
            await mirror.ready(30)
            await way.cut()
            await block(blocklist, "cid@example.com")
            await clear(blocklist, "ann@example.com")
            assert "ann@example.com" in mirror  # as it was
            await way.mend()
            await has(mirror, "bob@example.com", "cid@example.com")


async def test_a_process_goes_on_where_the_last_one_stopped(
    harness: Harness, blocklist: RunningService, tmp_path: Path
) -> None:
    await block(blocklist, *(f"u{n}@example.com" for n in range(50)))
    async with served(blocklist) as url:
        async with Mirror(url, harness.token(), TENANT, amqp_url=harness.amqp_url, folder=tmp_path) as mirror:
            await mirror.ready(30)
            await block(blocklist, "late@example.com")
            await eventually(lambda: asyncio.sleep(0, "late@example.com" in mirror))
        await clear(blocklist, "u1@example.com")
    # The blocklist's API is away: all comes from the folder and the stream.
    async with Mirror("http://127.0.0.1:1", "", TENANT, amqp_url=harness.amqp_url, folder=tmp_path) as again:
        assert "late@example.com" in again
        await again.ready(30)
        await has(again, "late@example.com", *(f"u{n}@example.com" for n in range(50) if n != 1))
    with (tmp_path / f"blocks-{TENANT}.jsonl").open("ab") as journal:
        journal.write(b'["half a li')
    async with Mirror("http://127.0.0.1:1", "", TENANT, amqp_url=harness.amqp_url, folder=tmp_path) as torn:
        await torn.ready(30)
        assert len(torn) == 50


async def test_another_stream_means_another_snapshot(
    harness: Harness, blocklist: RunningService, tmp_path: Path
) -> None:
    await block(blocklist, "ann@example.com")
    async with served(blocklist) as url:
        async with Mirror(url, harness.token(), TENANT, amqp_url=harness.amqp_url, folder=tmp_path) as mirror:
            await mirror.ready(30)
            await block(blocklist, "bob@example.com")
            await has(mirror, "ann@example.com", "bob@example.com")
        stream = await harness.channel.get_queue(BLOCKS)
        await harness.channel.queue_delete(BLOCKS)
        await clear(blocklist, "ann@example.com")  # nobody hears of it
        await harness.channel.declare_queue(BLOCKS, durable=True, arguments={"x-queue-type": "stream"})
        for kind in ("blocked", "unblocked"):
            await stream.bind("returpost.events", f"address.{kind}.*")
        await block(blocklist, "cid@example.com", "dan@example.com")
        await clear(blocklist, "dan@example.com")
        async with Mirror(url, harness.token(), TENANT, amqp_url=harness.amqp_url, folder=tmp_path) as mirror:
            await mirror.ready(30)
            await has(mirror, "bob@example.com", "cid@example.com")


async def test_what_a_stream_has_let_go_of_is_noticed(
    harness: Harness, blocklist: RunningService, tmp_path: Path
) -> None:
    await harness.channel.queue_delete(BLOCKS)
    small: dict[str, Any] = {
        "x-queue-type": "stream", "x-max-length-bytes": 20_000, "x-stream-max-segment-size-bytes": 10_000,
    }  # fmt: skip
    stream = await harness.channel.declare_queue(BLOCKS, durable=True, arguments=small)
    for kind in ("blocked", "unblocked"):
        await stream.bind("returpost.events", f"address.{kind}.*")
    async with served(blocklist) as url:
        await block(blocklist, "ann@example.com")
        async with Mirror(url, harness.token(), TENANT, amqp_url=harness.amqp_url, folder=tmp_path) as mirror:
            await mirror.ready(30)
            await block(blocklist, "bob@example.com")
            await has(mirror, "ann@example.com", "bob@example.com")
        await clear(blocklist, "ann@example.com")
        for n in range(100):
            await block(blocklist, f"u{n}@example.com")
        left = await eventually(lambda: first(harness, "first"), lambda part: part.offset > 5)
        async with Mirror(url, harness.token(), TENANT, amqp_url=harness.amqp_url, folder=tmp_path) as mirror:
            await mirror.ready(30)
            await has(mirror, "bob@example.com", *(f"u{n}@example.com" for n in range(100)))
    assert (await first(harness, 2)).missed
    assert not (await first(harness, left.offset + 1)).missed
    assert not left.missed


def address_of(item: BlockEvent) -> str:
    assert not isinstance(item.data, DomainBlocked | DomainUnblocked)
    return item.data.address


async def first(harness: Harness, since: Since) -> Part[BlockEvent]:
    async with asyncio.timeout(30):
        return await anext(BlockStream(harness.amqp_url, TENANT).read(since))


async def test_what_is_refused_is_told(harness: Harness, blocklist: RunningService) -> None:
    async with served(blocklist) as url:
        for token, amqp_url in (
            ("nonsense", harness.amqp_url),
            (harness.token(scopes=("send",)), harness.amqp_url),
            (harness.token(), harness.amqp_url.replace("returpost-admin", "nobody")),
        ):
            async with Mirror(url, token, TENANT, amqp_url=amqp_url) as mirror:
                with pytest.raises(InvalidSettings, match="refuses"):
                    await mirror.ready(30)
                with pytest.raises(Unavailable, match="no snapshot"):
                    mirror.look_up("ann@example.com")


async def test_without_asyncio(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, "ann@example.com")

    def use(url: str) -> tuple[bool, list[str], int]:
        with SyncMirror(url, harness.token(), TENANT, amqp_url=harness.amqp_url) as mirror:
            mirror.ready(30)
            return "ANN@example.com" in mirror, mirror.skip(["ann@example.com", "bob@example.com"]), len(mirror)

    async with served(blocklist) as url:
        assert await asyncio.to_thread(use, url) == (True, ["ann@example.com"], 1)


async def test_the_stream_from_where_one_likes(harness: Harness, blocklist: RunningService) -> None:
    await block(blocklist, "ann@example.com")
    await block(blocklist, "bob@example.com")
    await clear(blocklist, "ann@example.com")

    async def read(since: Since, parts: int) -> list[tuple[int, str, str]]:
        told: list[tuple[int, str, str]] = []
        async for part in BlockStream(harness.amqp_url, TENANT).read(since):
            told += [(part.offset, item.type.split(".")[2], address_of(item)) for item in part.events]
            if len(told) == parts:
                break
        return told

    everything = [(0, "blocked", "ann@example.com"), (1, "blocked", "bob@example.com"),
                  (2, "unblocked", "ann@example.com")]  # fmt: skip
    assert await read("first", 3) == everything
    assert await read(1, 2) == everything[1:]
    assert (await read("last", 1))[-1] in everything
    assert await read(datetime(2020, 1, 1, tzinfo=UTC), 3) == everything
    coming = asyncio.create_task(read("next", 1))

    async def say_until_heard() -> bool:
        await block(blocklist, "cid@example.com")
        await clear(blocklist, "cid@example.com")
        return coming.done()

    await eventually(say_until_heard)
    assert (await coming)[0][2] == "cid@example.com"
