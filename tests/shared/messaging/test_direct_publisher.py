"""Effects of services without a state: works that end together are published together, and each is told of its own."""

import asyncio
from collections.abc import Sequence
from functools import partial
from operator import le

import pytest

from returpost.amqp.publisher import Message
from returpost.contracts import AddressErased
from returpost.contracts.cloudevents import Event, event
from returpost.errors import Unavailable
from shared.messaging import direct_publisher
from shared.messaging.direct_publisher import MOST_IN_FLIGHT, DirectPublisher
from tests.support.harness import eventually

pytestmark = pytest.mark.anyio


class Slow:
    """Confirms when it is told to, or refuses."""

    def __init__(self) -> None:
        self.taken: list[list[Message]] = []
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def publish(self, messages: Sequence[Message]) -> list[Message]:
        self.taken.append(list(messages))
        await self.go.wait()
        if self.error:
            raise self.error
        return []

    async def published(self) -> int:
        return len(self.taken)


def erased(n: int, **changes: str) -> Event[AddressErased]:
    data = AddressErased.model_validate({"address": f"u{n}@example.com", "time": "2026-01-02T03:04:05Z", "by": "test"})
    return event(data.model_copy(update=changes), id=f"e-{n}", source="/test", tenant="acme")


async def one(uow_factory: DirectPublisher, *events: Event[AddressErased]) -> None:
    async with uow_factory.begin() as work:
        for item in events:
            work.emit(item)


async def begun(uow_factory: DirectPublisher, numbers: range) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(one(uow_factory, erased(n))) for n in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_ends_together_goes_out_together_and_waits_for_no_earlier_confirm() -> None:
    slow = Slow()
    uow_factory = DirectPublisher(slow)
    first = await begun(uow_factory, range(1))
    rest = await begun(uow_factory, range(1, 100))
    await eventually(slow.published, lambda number: number == 2)
    assert all(f'"e-{n}"'.encode() in slow.taken[1][0].body for n in range(1, 100))
    assert uow_factory.waiting == 100
    assert not any(task.done() for task in (*first, *rest))
    slow.go.set()
    await asyncio.gather(*first, *rest)
    assert uow_factory.waiting == 0
    await one(uow_factory, erased(100))
    assert [len(messages) for messages in slow.taken] == [1, 1, 1]


async def test_a_broker_that_is_slow_is_given_more_at_a_time_not_more_often() -> None:
    slow = Slow()
    uow_factory = DirectPublisher(slow)
    tasks = []
    for number in range(1, MOST_IN_FLIGHT + 1):
        tasks += await begun(uow_factory, range(number, number + 1))
        await eventually(slow.published, partial(le, number))
    tasks += await begun(uow_factory, range(100, 150))
    tasks += await begun(uow_factory, range(150, 200))
    assert len(slow.taken) == MOST_IN_FLIGHT
    slow.go.set()
    await asyncio.gather(*tasks)
    assert len(slow.taken) == MOST_IN_FLIGHT + 1


async def test_nothing_to_publish_waits_for_nobody() -> None:
    slow = Slow()
    await one(DirectPublisher(slow))
    assert slow.taken == []


async def test_each_is_told_that_the_broker_is_away_and_the_next_try_is_a_new_one() -> None:
    slow = Slow()
    uow_factory = DirectPublisher(slow)
    tasks = await begun(uow_factory, range(3))
    slow.error = Unavailable("away")
    slow.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    slow.error = None
    await one(uow_factory, erased(3))


async def test_one_that_cannot_be_published_fails_alone() -> None:
    slow = Slow()
    uow_factory = DirectPublisher(slow)
    first = await begun(uow_factory, range(1))
    bad = asyncio.create_task(one(uow_factory, erased(7, by="\ud800")))
    good = await begun(uow_factory, range(1, 4))
    slow.go.set()
    await asyncio.gather(*first, *good)
    with pytest.raises(ValueError, match="surrogate"):
        await bad


async def test_who_gives_up_takes_nobody_along() -> None:
    slow = Slow()
    uow_factory = DirectPublisher(slow)
    tasks = await begun(uow_factory, range(3))
    tasks[1].cancel()
    slow.go.set()
    await asyncio.gather(tasks[0], tasks[2])


async def test_a_request_is_answered_soon_when_no_confirm_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct_publisher, "ANSWER_WITHIN", 0.01)
    uow_factory = DirectPublisher(Slow())
    with pytest.raises(Unavailable, match="takes effect once"):
        await one(uow_factory, erased(1))
    assert uow_factory.waiting == 0
