"""The client library's publisher against a real broker, with the network cut and mended."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from returpost.client import (
    DeliveryResult,
    InvalidMessage,
    Publisher,
    Spool,
    SpoolFull,
    SyncPublisher,
    Unavailable,
    publisher as module,
)
from returpost.contracts import ids
from returpost.errors import InvalidSettings
from tests.support.harness import TENANT, Harness, eventually
from tests.support.proxy import proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services]

QUEUE = "ingest.delivery-result"


def results(count: int, start: int = 0) -> Iterator[dict[str, Any]]:
    for n in range(start, start + count):
        yield {
            "mailing": "m-1", "address": f"u{n}@example.com", "result": "delivered", "time": "2026-01-02T03:04:05Z",
        }  # fmt: skip


async def taken(harness: Harness) -> list[dict[str, Any]]:
    return await harness.take_events(QUEUE)


async def test_results_are_in_the_queue_when_publish_returns(harness: Harness) -> None:
    async with Publisher(harness.amqp_url, TENANT, "news") as publisher:
        assert await publisher.publish(results(120)) == 120
        assert await publisher.publish([DeliveryResult.model_validate(next(results(1, 500)) | {"sender": "news"})]) == 1
        assert await publisher.publish([]) == 0
    assert await harness.depth(QUEUE) == 4, "three messages of up to 50, and one"
    events = await taken(harness)
    assert {event["data"]["address"] for event in events} == {f"u{n}@example.com" for n in (*range(120), 500)}
    assert {event["data"]["sender"] for event in events} == {"news"}
    assert {event["tenant"] for event in events} == {TENANT}


async def test_the_same_result_has_the_same_id_and_an_own_id_is_used(harness: Harness) -> None:
    async with Publisher(harness.amqp_url, TENANT, "news") as publisher:
        await publisher.publish(results(1))
        await publisher.publish(results(1))
        await publisher.publish([{**next(results(1)), "id": "own-7"}])
    first, second, own = await taken(harness)
    assert first["id"] == second["id"] != own["id"] == ids.of_input(TENANT, "/senders/news", "own-7")


async def test_a_wrong_result_is_named(harness: Harness) -> None:
    async with Publisher(harness.amqp_url, TENANT) as publisher:
        with pytest.raises(InvalidMessage, match=r"result 2: address: .*@"):
            await publisher.publish([*results(2), {**next(results(1)), "address": "nobody"}])


async def test_without_a_spool_an_outage_is_told_and_passes(harness: Harness) -> None:
    async with proxy(harness.amqp_url) as way, Publisher(way.url, TENANT, "news") as publisher:
        await publisher.publish(results(1))
        await way.cut()
        with pytest.raises(Unavailable):
            await publisher.publish(results(1, 1))
        await way.mend()
        await publisher.publish(results(1, 1))
    assert len(await taken(harness)) == 2


async def test_with_a_spool_nothing_is_lost_while_the_broker_is_away(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPOOL_INTERVAL", 0.05)
    spool = Spool(tmp_path)
    async with proxy(harness.amqp_url) as way, Publisher(way.url, TENANT, "news", spool=spool) as publisher:
        await publisher.publish(results(10))
        await way.cut()
        assert await publisher.publish(results(100, 10)) == 100
        assert len(list(spool.waiting())) == 2
        await way.mend()
        assert await publisher.publish(results(10, 110)) == 10
        await eventually(lambda: asyncio.to_thread(spool.size), lambda size: size == 0)
    assert {event["data"]["address"] for event in await taken(harness)} == {f"u{n}@example.com" for n in range(120)}


async def test_the_next_process_sends_what_a_dead_one_has_left(harness: Harness, tmp_path: Path) -> None:
    async with Publisher("amqp://127.0.0.1:1/", TENANT, "news", spool=tmp_path) as publisher:
        await publisher.publish(results(60))
    (tmp_path / "half-written.part").write_bytes(b'{"half')
    async with Publisher(harness.amqp_url, TENANT, "news", spool=tmp_path) as publisher:
        await publisher.drain()
    assert {event["data"]["address"] for event in await taken(harness)} == {f"u{n}@example.com" for n in range(60)}
    assert os.listdir(tmp_path) == ["half-written.part"]  # noqa: PTH208 - read once, in a test


async def test_a_full_spool_says_so(tmp_path: Path) -> None:
    async with Publisher("amqp://127.0.0.1:1/", TENANT, spool=Spool(tmp_path, 2_000)) as publisher:
        await publisher.publish(results(1))
        with pytest.raises(SpoolFull, match="2000 bytes"):
            await publisher.publish(results(50))


async def test_refusals_say_what_is_wrong(harness: Harness, vhost: str) -> None:
    wrong = harness.amqp_url.replace("returpost-admin", "nobody")
    async with Publisher(wrong, TENANT) as publisher:
        with pytest.raises(InvalidSettings, match="refuses the user"):
            await publisher.publish(results(1))
    await harness.channel.queue_delete(QUEUE)
    async with Publisher(harness.amqp_url, TENANT) as publisher:
        with pytest.raises(InvalidSettings, match="topology apply"):
            await publisher.publish(results(1))


async def test_without_asyncio(harness: Harness, tmp_path: Path) -> None:
    def hand_in() -> int:
        with SyncPublisher(harness.amqp_url, TENANT, "news", spool=tmp_path) as publisher:
            return publisher.publish(results(70)) + publisher.drain()

    assert await asyncio.to_thread(hand_in) == 70
    assert len(await taken(harness)) == 70
