"""Tasks end when they are told to."""

import asyncio

import pytest

from returpost.amqp import tasks

pytestmark = pytest.mark.anyio


async def test_each_says_how_it_ended() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async def answer() -> int:
        return 7

    running = [asyncio.create_task(coroutine) for coroutine in (fail(), answer(), asyncio.Event().wait())]
    await asyncio.wait(running[:2])
    broken, seven, cancelled = await tasks.cancel_and_wait(*running)
    assert isinstance(broken, ValueError)
    assert seven == 7
    assert isinstance(cancelled, asyncio.CancelledError)
    assert await tasks.cancel_and_wait() == []


async def test_a_task_that_loses_a_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "ASK_AGAIN", 0.01)
    begun, lost = asyncio.Event(), 0

    async def deaf() -> None:
        nonlocal lost
        begun.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost == 3:
                    raise

    task = asyncio.create_task(deaf())
    await begun.wait()
    await tasks.cancel_and_wait(task)
    assert task.cancelled()
    assert lost == 3
