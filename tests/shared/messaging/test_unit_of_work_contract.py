"""The contract of units of work: the in-memory adapters and the real ones pass the same cases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from returpost.amqp.connections import open_connection
from returpost.amqp.publisher import Publisher, Publishes
from returpost.contracts import DeliveryRecorded, RetryRequested, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.routing import DEAD_LETTERS
from returpost.errors import Unavailable
from shared.database.pool import connect
from shared.messaging.outbox import Outbox
from shared.messaging.unit_of_work import HOLDS
from tests.support.adapters.in_memory import InMemoryBroker, InMemoryOutbox
from tests.support.harness import TENANT, Harness
from tests.support.proxy import proxy

pytestmark = pytest.mark.anyio

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE = "classifier.delivery-recorded"


@dataclass
class Adapters:
    """One set of adapters, and the hands that break and mend its way to the broker."""

    outbox: InMemoryOutbox | Outbox
    take_events: Callable[[str], Awaitable[list[dict[str, Any]]]]
    take_dead_letters: Callable[[], Awaitable[list[dict[str, Any]]]]
    cut: Callable[[], Awaitable[None]]
    mend: Callable[[], Awaitable[None]]


class SwitchedPublisher:
    """Publishes over the connection that there is now: as a robust one does, a new one after a cut."""

    def __init__(self) -> None:
        self.publisher: Publisher | None = None

    async def publish(self, messages: Any) -> Any:
        assert self.publisher is not None
        return await self.publisher.publish(messages)


async def in_memory() -> AsyncIterator[Adapters]:
    broker = InMemoryBroker()

    async def take(queue: str) -> list[dict[str, Any]]:
        return broker.take_events(queue)

    async def dead_letters() -> list[dict[str, Any]]:
        return [dict(message.headers) for message in broker.queues.pop(DEAD_LETTERS, [])]

    async def switch(available: bool) -> None:
        broker.available = available

    yield Adapters(InMemoryOutbox(broker), take, dead_letters, lambda: switch(False), lambda: switch(True))


async def real(harness: Harness) -> AsyncIterator[Adapters]:
    pool = await connect(harness.database_urls["classifier"], "classifier", size=4)
    async with proxy(harness.amqp_url) as way:
        connected = asyncio.Event()
        publisher = SwitchedPublisher()

        async def keep_connected(ready: asyncio.Event, done: asyncio.Event) -> None:
            async with open_connection(way.url) as connection:
                channel = await connection.channel(on_return_raises=True)
                publisher.publisher = Publisher(channel)
                ready.set()
                await done.wait()

        done = asyncio.Event()
        task = asyncio.create_task(keep_connected(connected, done))
        await connected.wait()

        async def dead_letters() -> list[dict[str, Any]]:
            return [dict(message.headers) for message in await harness.take(DEAD_LETTERS)]

        async def mend() -> None:
            nonlocal task, done
            done.set()
            await asyncio.gather(task, return_exceptions=True)
            await way.mend()
            again, done = asyncio.Event(), asyncio.Event()
            task = asyncio.create_task(keep_connected(again, done))
            await again.wait()

        outbox: Publishes = publisher
        yield Adapters(Outbox(pool, outbox), harness.take_events, dead_letters, way.cut, mend)
        done.set()
        await asyncio.gather(task, return_exceptions=True)
    await pool.close()


@pytest.fixture
async def memory_adapters() -> AsyncIterator[Adapters]:
    async for adapters in in_memory():
        yield adapters


@pytest.fixture
async def real_adapters(harness: Harness) -> AsyncIterator[Adapters]:
    async for adapters in real(harness):
        yield adapters


def delivered(n: int) -> Event[DeliveryRecorded]:
    data = DeliveryRecorded(mailing="m-1", address=f"u{n}@example.com", result="delivered", time=MOMENT, sender="news")
    return event(data, id=ids.of_content(n), source="/test", tenant=TENANT, subject="m-1")


async def emit(adapters: Adapters, *events: Event[DeliveryRecorded]) -> None:
    async with adapters.outbox.begin() as work:
        for one in events:
            work.emit(one, "delivered")


async def publishes_when_the_block_ends_well(adapters: Adapters) -> None:
    await emit(adapters, delivered(1), delivered(2))
    assert {one["data"]["address"] for one in await adapters.take_events(QUEUE)} == {
        "u1@example.com", "u2@example.com",
    }  # fmt: skip
    assert await adapters.outbox.pending() == 0


async def publishes_nothing_when_the_block_raises(adapters: Adapters) -> None:
    async def fail() -> None:
        async with adapters.outbox.begin() as work:
            work.emit(delivered(1), "delivered")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await adapters.take_events(QUEUE) == []
    assert await adapters.outbox.pending() == 0


async def publishes_nothing_without_events(adapters: Adapters) -> None:
    await emit(adapters)
    assert await adapters.take_events(QUEUE) == []


async def sends_again_after_a_reconnect(adapters: Adapters) -> None:
    await adapters.cut()
    HOLDS.set(True)  # as a consumer does
    with pytest.raises(Unavailable):
        await emit(adapters, delivered(1))
    assert await adapters.outbox.pending() == 1
    with pytest.raises(Unavailable):
        await adapters.outbox.drain_all()
    assert await adapters.outbox.pending() == 1
    await adapters.mend()
    await adapters.outbox.drain_all()
    assert await adapters.outbox.pending() == 0
    assert [one["data"]["address"] for one in await adapters.take_events(QUEUE)] == ["u1@example.com"]


async def accepts_what_is_committed_and_publishes_it_later(adapters: Adapters) -> None:
    """A request: the change is there, so nobody is told that it was not accepted."""
    await adapters.cut()
    await emit(adapters, delivered(1))
    assert await adapters.outbox.pending() == 1
    await adapters.mend()
    await adapters.outbox.drain_all()
    assert [one["data"]["address"] for one in await adapters.take_events(QUEUE)] == ["u1@example.com"]


async def dead_letters_what_is_unroutable(adapters: Adapters) -> None:
    data = RetryRequested(
        mailing="m-1", address="u@example.com", sender="nobody", attempt=2, due=MOMENT, reason="mailbox_full"
    )
    async with adapters.outbox.begin() as work:
        work.command(event(data, id=ids.of_content(1), source="/test", tenant=TENANT, subject="m-1"), "nobody")
        work.emit(delivered(1), "delivered")
    (headers,) = await adapters.take_dead_letters()
    assert headers["x-returpost-routing-key"] == f"retry.requested.{TENANT}.nobody"
    assert "no queue takes" in headers["x-returpost-error"]
    assert len(await adapters.take_events(QUEUE)) == 1
    assert await adapters.outbox.pending() == 0


async def keeps_units_apart(adapters: Adapters) -> None:
    await asyncio.gather(*(emit(adapters, delivered(n)) for n in range(20)))
    found = [one["data"]["address"] for one in await adapters.take_events(QUEUE)]
    assert sorted(found) == sorted(f"u{n}@example.com" for n in range(20))


CASES = [
    publishes_when_the_block_ends_well,
    publishes_nothing_when_the_block_raises,
    publishes_nothing_without_events,
    sends_again_after_a_reconnect,
    accepts_what_is_committed_and_publishes_it_later,
    dead_letters_what_is_unroutable,
    keeps_units_apart,
]
Case = Callable[[Adapters], Awaitable[None]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_in_memory_unit_of_work(case: Case, memory_adapters: Adapters) -> None:
    await case(memory_adapters)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_real_unit_of_work(case: Case, real_adapters: Adapters) -> None:
    await case(real_adapters)
