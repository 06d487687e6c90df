"""Faults in random order under load, by seed: nothing is lost, nothing is counted twice (`make chaos`).

Not a part of `make test`: pytest takes it by name alone. A run prints its seed and a table of faults; the same seed
makes the same schedule, so that a run that failed can be had again.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from bench.load.monitor import compare
from bench.load.oracle import expect
from bench.load.workload import Input, inputs, messages
from deploy.local.rabbitmq import RabbitNode
from returpost.contracts.routing import SERVICES
from tests.pipeline.live import Live, hand_in, live
from tests.pipeline.test_faults import until

pytestmark = [pytest.mark.anyio, pytest.mark.faults, pytest.mark.timeout(7200)]

TENANT = "acme"
SEED = int(os.environ.get("RETURPOST_CHAOS_SEED") or random.randrange(1_000_000))
RESULTS = int(os.environ.get("RETURPOST_CHAOS_RESULTS") or 40_000)
FAULTS = int(os.environ.get("RETURPOST_CHAOS_FAULTS") or 14)
STOPPED = float(os.environ.get("RETURPOST_CHAOS_STOPPED") or 5)
"""Seconds for which a stopped process stands still; above 60 its connections are gone when it goes on."""
A_MESSAGE = 50
RECOVERY = 15.0
"""Seconds until every service is ready again, after any single fault, on a machine that is not overloaded."""

Fault = Callable[[Live, random.Random], Awaitable[None]]


@dataclass
class Happened:
    """What a run did: each fault with the seconds that it took, and those until all was ready again."""

    rows: list[tuple[str, float, float]] = field(default_factory=list)

    def table(self) -> str:
        """Return the faults by kind: how often, and the longest recovery."""
        kinds = sorted({name for name, _, _ in self.rows})
        lines = [f"{'fault':28}{'times':>6}{'longest recovery':>18}"]
        for kind in kinds:
            found = [recovery for name, _, recovery in self.rows if name == kind]
            lines.append(f"{kind:28}{len(found):>6}{max(found):>16.1f} s")
        return "\n".join(lines)


async def service_killed(system: Live, source: random.Random) -> None:
    system.kill(source.choice(sorted(system.processes())))


async def service_stands_still(system: Live, source: random.Random) -> None:
    """Stop one in the middle of a batch; its database connections are ended, so that a successor's work meets it."""
    name = source.choice([service for service in SERVICES if service in system.processes()])
    process = system.processes()[name]
    process.send_signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(STOPPED)
        if source.random() < 0.5:
            await connections_ended(system, source)
    finally:
        process.send_signal(signal.SIGCONT)


async def connections_ended(system: Live, _: random.Random) -> None:
    """End every session of the services at the database: some after their commit, before they heard of it."""
    await _execute(system, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'returpost\\_%'")


async def database_read_only(system: Live, source: random.Random) -> None:
    name = urlsplit(system.running.database_url).path.lstrip("/")
    await _execute(system, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        await connections_ended(system, source)
        await asyncio.sleep(1)
    finally:
        await _execute(system, f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
        await connections_ended(system, source)


async def database_restarted(system: Live, source: random.Random) -> None:
    with system.unattended():
        await asyncio.to_thread(source.choice((system.postgres.stop, system.postgres.kill)))
        await asyncio.to_thread(system.postgres.start)


async def broker_restarted(system: Live, source: random.Random) -> None:
    ways = [system.rabbit.stop, *([system.rabbit.kill] if isinstance(system.rabbit, RabbitNode) else [])]
    with system.unattended():
        await asyncio.to_thread(source.choice(ways))
        await asyncio.to_thread(system.rabbit.start)


async def all_killed_at_once(system: Live, _: random.Random) -> None:
    for process in system.processes().values():
        process.send_signal(signal.SIGKILL)


KINDS: tuple[Fault, ...] = (
    service_killed,
    service_stands_still,
    connections_ended,
    database_read_only,
    database_restarted,
    broker_restarted,
    all_killed_at_once,
)


def schedule(source: random.Random, number: int) -> list[Fault]:
    """Return faults in random order: each kind about as often as the others, each at least once."""
    found = [KINDS[place % len(KINDS)] for place in range(max(number, len(KINDS)))]
    source.shuffle(found)
    return found


async def test_chaos(tmp_path: Path) -> None:
    source = random.Random(SEED)
    made = inputs(RESULTS, TENANT, SEED, junk=0.002)
    rest = messages(made, A_MESSAGE)
    rest += source.sample(rest, len(rest) // 20)  # whole messages again, much later, in another order
    source.shuffle(rest)
    faults, total, happened = schedule(source, FAULTS), len(rest), Happened()
    print(f"\nchaos: RETURPOST_CHAOS_SEED={SEED}, {len(made)} results, {len(faults)} faults", flush=True)  # noqa: T201
    with live(tmp_path) as system:
        loading = asyncio.create_task(hand_in(system.running, TENANT, rest))
        try:
            for number, fault in enumerate(faults, 1):
                await until(_left(rest), lambda left, n=number: left <= total * (1 - n / (len(faults) + 1)))  # type: ignore[misc]
                await _happen(system, fault, source, happened)
            await loading
            await _accounted(system, made)
        finally:
            loading.cancel()
            print(happened.table(), flush=True)  # noqa: T201
    assert {name for name, _, _ in happened.rows} == {kind.__name__ for kind in KINDS}, "each kind happened"


def _left(rest: list[bytes]) -> Callable[[], Awaitable[int]]:
    async def left() -> int:
        return len(rest)

    return left


async def _happen(system: Live, fault: Fault, source: random.Random, happened: Happened) -> None:
    began = time.monotonic()
    await fault(system, source)
    ended = time.monotonic()
    await until(system.ready, lambda ready: all(ready.values()))
    happened.rows.append((fault.__name__, ended - began, time.monotonic() - ended))


async def _accounted(system: Live, made: list[Input]) -> None:
    """Hold everything against the oracle: states, dead letters, queues."""
    expected = expect(made)
    await until(lambda: compare(system.running.database_url, TENANT, expected), lambda differs: not differs)
    await until(system.depths, lambda depths: not depths)
    junk = {item.body for item in made if item.kind == "junk"}

    async def dead() -> object:
        return await system.ask("SELECT count(DISTINCT body) FROM replay.dead_letters")

    await until(dead, lambda count: count == len(junk))
    wrong = await system.ask(
        "SELECT count(*) FROM replay.dead_letters WHERE NOT convert_from(body, 'UTF8') LIKE '%no time at all%'"
    )
    assert wrong == 0, "only junk is a dead letter"
    assert not await compare(system.running.database_url, TENANT, expected), "nothing changed afterwards"


async def _execute(system: Live, sql: str) -> None:
    connection = await asyncpg.connect(system.running.database_url)
    try:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(sql)
    finally:
        await connection.close()
