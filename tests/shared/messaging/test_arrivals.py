"""What waits for the next batch, and how long a batch waits for more."""

import asyncio
from typing import Any, cast

import pytest

from shared.messaging.arrivals import WAIT_EACH, WAIT_MOST, Arrivals

pytestmark = pytest.mark.anyio


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long batches waited for more."""
    found: list[float] = []

    async def note(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("shared.messaging.arrivals.asyncio.sleep", note)
    return found


async def batch(arrivals: Arrivals) -> list[Any]:
    found = [await arrivals.first()]
    while (message := arrivals.next()) is not None:
        found.append(message)
    return found


def put(arrivals: Arrivals, *messages: int | None) -> None:
    for message in messages:
        arrivals.put(cast("Any", message))


@pytest.mark.parametrize(
    ("before", "now", "waited"),
    [
        (1, 1, []),  # alone, as before: at once
        (1, 9, []),
        (4, 1, [4 * WAIT_EACH]),
        (4, 3, [4 * WAIT_EACH]),
        (4, 4, []),  # as many as last time are there already
        (4, 9, []),
        (500, 1, [WAIT_MOST]),
    ],
)
async def test_batch_waits_for_more_when_several_came_before(
    waits: list[float], before: int, now: int, waited: list[float]
) -> None:
    arrivals = Arrivals()
    put(arrivals, *range(before))
    assert await batch(arrivals) == list(range(before))
    put(arrivals, *range(now))
    assert await batch(arrivals) == list(range(now))
    assert waits == waited
    assert len(arrivals) == 0


async def test_what_comes_while_it_waits_is_of_the_batch() -> None:
    arrivals = Arrivals()
    put(arrivals, 1, 2)
    await batch(arrivals)
    put(arrivals, 3)
    taking = asyncio.create_task(batch(arrivals))
    await asyncio.sleep(0)
    put(arrivals, 4)
    assert await taking == [3, 4]


async def test_a_stop_ends_a_batch_or_comes_instead_of_one() -> None:
    arrivals = Arrivals()
    put(arrivals, 1, None, 2)
    assert await batch(arrivals) == [1]
    assert await batch(arrivals) == [2]
    put(arrivals, None)
    assert await arrivals.first() is None
