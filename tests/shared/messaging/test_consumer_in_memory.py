"""The consumer over in-memory adapters: batches, poison, refusals, broken messages, an unavailable broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from returpost.amqp.publisher import Message
from returpost.contracts import DeliveryRecorded, ids
from returpost.contracts.cloudevents import Event, encode, event
from returpost.contracts.routing import DEAD_LETTERS, EVENTS
from returpost.errors import InvalidMessage
from shared.messaging.consumer import MAX_EVENTS, Consumer
from shared.messaging.unit_of_work import UnitOfWork
from tests.support.adapters.in_memory import InMemoryBroker, InMemoryChannel, InMemoryMessage, InMemoryOutbox
from tests.support.harness import TENANT, eventually

pytestmark = pytest.mark.anyio

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE = "blocklist.delivery-recorded"
KEY = f"delivery.recorded.{TENANT}.delivered"
NEXT = "classifier.delivery-recorded"


def delivered(n: int, **changes: Any) -> Event[DeliveryRecorded]:
    data = {"mailing": "m-1", "address": f"u{n}@example.com", "result": "delivered", "time": MOMENT, "sender": "news"}
    return event(DeliveryRecorded.model_validate(data | changes), id=ids.of_content(n), source="/test", tenant=TENANT)


class Run:
    """A consumer that works until its block ends, and what came of it."""

    def __init__(self) -> None:
        self.broker = InMemoryBroker()
        self.outbox = InMemoryOutbox(self.broker)
        self.channel = InMemoryChannel()
        self.batches: list[list[str]] = []
        self.consumer = Consumer(QUEUE, DeliveryRecorded, self.handle)
        self.consumer.wire(self.outbox, self.broker, self.outbox.drain_all)
        self._tags = 0
        self._done = asyncio.Event()

    async def handle(self, events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
        for one in events:
            match one.data.mailing:
                case "poison":
                    raise ZeroDivisionError("poison")
                case "never":
                    raise InvalidMessage("data.mailing: can never be applied")
                case "refused":
                    work.refuse(one, "data.mailing: refused by the rule")
                case _:
                    work.emit(one, "delivered")
        self.batches.append([one.data.address for one in events])

    def arrive(self, *events: Event[DeliveryRecorded], key: str = KEY) -> None:
        body, content_type = encode(events)
        self.arrive_raw(body, content_type, key)

    def arrive_raw(self, body: bytes, content_type: str = "application/json", key: str = KEY) -> None:
        self._tags += 1
        message = InMemoryMessage(self.channel, self._tags, Message(EVENTS, key, body, content_type))
        self.consumer.arrive(message)  # type: ignore[arg-type]

    async def batch_done(self, messages: int, size: int) -> None:
        if self.channel.acknowledged == self._tags:
            self._done.set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Work until all that has arrived is acknowledged."""
        task = asyncio.create_task(self.consumer.run(self.batch_done))
        yield
        await asyncio.wait_for(self._done.wait(), 10)
        self.consumer.stop()
        await task

    def dead_letters(self) -> list[Message]:
        return self.broker.queues[DEAD_LETTERS]


async def test_consumer_takes_what_gathered_as_one_batch() -> None:
    run = Run()
    for n in range(8):
        run.arrive(delivered(n))
    async with run.working():
        pass
    assert [len(batch) for batch in run.batches] == [8]
    assert len(run.broker.take_events(NEXT)) == 8


async def test_consumer_bounds_a_batch() -> None:
    run = Run()
    for start in range(0, MAX_EVENTS + 500, 500):
        run.arrive(*(delivered(start + n) for n in range(500)))
    async with run.working():
        pass
    assert [len(batch) for batch in run.batches] == [MAX_EVENTS, 500]


@pytest.mark.parametrize(
    ("mailing", "error"),
    [("poison", "ZeroDivisionError: poison"), ("never", "can never be applied"), ("refused", "refused by the rule")],
)
async def test_consumer_dead_letters_one_event_of_a_batch(mailing: str, error: str) -> None:
    run = Run()
    run.arrive(*(delivered(n, mailing=mailing if n == 250 else "m-1") for n in range(500)))
    async with run.working():
        pass
    (dead_letter,) = run.dead_letters()
    assert error in dead_letter.headers["x-returpost-error"]
    assert b"u250@example.com" in dead_letter.body
    assert len(run.broker.take_events(NEXT)) == 499


@pytest.mark.parametrize(
    ("body", "key", "error"),
    [
        (b"not JSON", KEY, "JSON"),
        (b"x" * (16 * 1024 * 1024 + 1), KEY, "are allowed"),
        (encode([delivered(1)])[0], "delivery.recorded.rival.delivered", "tenant"),
    ],
)
async def test_consumer_dead_letters_broken_messages(body: bytes, key: str, error: str) -> None:
    run = Run()
    run.arrive_raw(body, key=key)
    run.arrive(delivered(2))
    async with run.working():
        pass
    (dead_letter,) = run.dead_letters()
    assert error in dead_letter.headers["x-returpost-error"]
    assert len(run.broker.take_events(NEXT)) == 1


async def test_consumer_holds_messages_while_the_broker_is_away() -> None:
    run = Run()
    run.broker.available = False
    run.arrive(delivered(1))
    async with run.working():
        await eventually(lambda: asyncio.sleep(0, run.consumer.paused_since), lambda since: since is not None)
        assert run.channel.acknowledged == 0
        run.broker.available = True
    assert run.consumer.paused_since is None
    assert {one["id"] for one in run.broker.take_events(NEXT)} == {delivered(1).id}
    assert run.dead_letters() == []
