"""Parts of the system die under load; afterwards the state is what it would have been, and nothing is a dead letter."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.load.monitor import compare
from bench.load.oracle import expect
from bench.load.workload import address_of, inputs, messages
from deploy.local.rabbitmq import RabbitNode
from returpost.contracts.routing import SERVICES
from tests.pipeline.live import Live, hand_in, live

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.timeout(900)]

TENANT = "acme"
RESULTS = 40_000
A_MESSAGE = 50
MAX_GROWTH = 1.5
"""Memory of the largest service with a fault, against its memory under load before: what waits stays in the queues."""
WAITING = 20
"""Messages that wait while a service is paused, before what it needs comes back."""
PATIENCE = 240.0

Fault = Callable[[Live], Awaitable[None]]


async def suffer(system: Live, *faults: Fault) -> None:
    """Hand in results, let one fault after another happen meanwhile, and hold the state against the oracle."""
    made = inputs(RESULTS, TENANT, junk=0.0)
    bodies = messages(made, A_MESSAGE)
    rest = list(bodies)
    before, sizes = 0.0, []
    loading = asyncio.create_task(hand_in(system.running, TENANT, rest))
    for number, fault in enumerate(faults, 1):
        await until(partial(asyncio.sleep, 0, number), lambda n: len(rest) <= len(bodies) * (1 - n / (len(faults) + 1)))
        before = before or system.memory()
        await fault(system)
        sizes.append(system.memory())
    await loading
    expected = expect(made)
    await until(lambda: compare(system.running.database_url, TENANT, expected), lambda differs: not differs)
    await until(system.depths, lambda depths: not depths)
    await until(system.ready, lambda ready: all(ready.values()))
    assert await system.ask("SELECT count(*) FROM replay.dead_letters") == 0
    assert not await compare(system.running.database_url, TENANT, expected)
    assert max(*sizes, system.memory()) < MAX_GROWTH * before
    logged = await asyncio.to_thread(system.log.read_text)
    assert "database or broker unavailable" in logged or "starts again" in logged
    assert address_of(1).partition("@")[2].partition("-")[0] not in logged, "no address is ever logged"


async def until(look: Callable[[], Awaitable[Any]], accept: Callable[[Any], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not accept(seen := await look()):
        assert asyncio.get_running_loop().time() < deadline, f"after {PATIENCE} s: {str(seen)[:2000]}"
        await asyncio.sleep(0.1)


def killing(service: str) -> Fault:
    async def kill(system: Live) -> None:
        await until(system.ready, lambda ready: ready[service])
        system.kill(service)

    return kill


async def test_each_service_is_killed_twice(tmp_path: Path) -> None:
    with live(tmp_path) as system:
        await suffer(system, *(killing(service) for _ in range(2) for service in SERVICES))


async def test_rabbitmq_is_restarted_and_killed(tmp_path: Path) -> None:
    async def restart(system: Live) -> None:
        with system.unattended():
            await asyncio.to_thread(system.rabbit.stop)
            await asyncio.to_thread(system.rabbit.start)

    async def kill(system: Live) -> None:
        if isinstance(system.rabbit, RabbitNode):
            with system.unattended():
                await asyncio.to_thread(system.rabbit.kill)
                await asyncio.to_thread(system.rabbit.start)

    with live(tmp_path) as system:
        await suffer(system, restart, kill)


async def test_postgresql_is_restarted_and_killed(tmp_path: Path) -> None:
    async def restart(system: Live) -> None:
        with system.unattended():
            await asyncio.to_thread(system.postgres.stop)
            await asyncio.to_thread(system.postgres.start)

    async def kill(system: Live) -> None:
        with system.unattended():
            await asyncio.to_thread(system.postgres.kill)
            await asyncio.to_thread(system.postgres.start)

    with live(tmp_path) as system:
        await suffer(system, restart, kill)


async def test_postgresql_is_away_while_messages_gather(tmp_path: Path) -> None:
    async def away(system: Live) -> None:
        with system.unattended():
            await asyncio.to_thread(system.postgres.stop)
            with_state = [service for service in SERVICES if service != "ingest"]
            await until(system.ready, lambda ready: not any(ready[service] for service in with_state))
            await until(system.depths, lambda depths: sum(depths.values()) >= WAITING)
            await asyncio.to_thread(system.postgres.start)

    with live(tmp_path) as system:
        await suffer(system, away)
