"""The pipeline, end to end: delivery results in, until every service has committed all that follows from them.

    python -m bench.pipeline --scale 0.05 --json results.json

It starts RabbitMQ, PostgreSQL and all services in a folder of its own, and measures, on the same machine in one run:
1,000,000 results in messages of 50; results in messages of their own; the time from publishing a dead address to
receiving `address.blocked` in an idle system; memory and processor of each process; and the ceiling, which is the same
bytes through the same number of hops without domain work. After the runs the tables of every service are held against
an oracle. See README.md.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.load import baseline_max, command
from bench.load.monitor import Events, compare, events_so_far, settled, until_done
from bench.load.oracle import expect
from bench.load.own_system import own_system
from bench.load.processes import Processes, each, shares
from bench.load.publishing import publish
from bench.load.seed import LONG_RUN, fill
from bench.load.workload import SENDER, Input, address_of, inputs, messages
from deploy.local.local_stack import Options
from returpost.cli.installation import Running
from returpost.contracts.routing import COMMANDS, EVENTS

RESULTS, SINGLE_RESULTS, IDLE_SAMPLES = 1_000_000, 100_000, 1_000
AT_LEAST_RESULTS, AT_LEAST_SINGLE, AT_LEAST_IDLE = 10_000, 2_000, 50
A_MESSAGE = 50
EARLY = 0.1
"""Share of the events after which memory is looked at for the first time: flat means no more at the end."""
IDLE_PAUSE = 0.02
WARM_UP = 5_000
"""Results of a tenant of their own before anything is measured: connections, plans and files are there."""
GROWN = (1_000_000, 10_000_000)
"""Addresses, each with two recipients and a block, that the tables hold while a tenth of the results is sent again."""
LIMITS = {"results_per_second": 6_000, "ceiling_ratio": 0.5, "single_per_second": 1_200}
MOST = {"idle_block_p99_ms": 100, "rss_mb_max": 200}


@dataclass
class Findings:
    """What was measured; the names are those of the JSON."""

    results: int
    results_per_second: float = 0.0
    ceiling_per_second: float = 0.0
    ceiling_ratio: float = 0.0
    single_per_second: float = 0.0
    idle_block_p50_ms: float = 0.0
    idle_block_p99_ms: float = 0.0
    rss_mb_max: float = 0.0
    rss_mb: dict[str, dict[str, float]] = field(default_factory=dict)
    """By service: after a tenth of the events, at the end, and the highest."""
    oracle_equal: bool = True
    differences: list[str] = field(default_factory=list)
    cpu_share: dict[str, float] = field(default_factory=dict)
    """Cores kept busy while the results ran through, by process."""
    cpu_us_per_result: float = 0.0
    """Microseconds of processor time of all of these for each result."""
    single_cpu_us_per_result: float = 0.0
    """The same for results that come one a message."""
    grown: dict[str, float] = field(default_factory=dict)
    """Results a second, 50 a message, by how many addresses are there already."""


class Run:
    """One run over one system."""

    def __init__(self, running: Running, scale: float, progress: Progress, folder: Path) -> None:
        self.findings = Findings(max(int(RESULTS * scale), AT_LEAST_RESULTS))
        self._running = running
        self._scale = scale
        self._progress = progress
        self._processes = Processes(folder)

    async def work(self) -> int:
        """Measure all that needs the services."""
        self._processes.find()
        await self._through(inputs(WARM_UP, "warm-up"), "warm-up", A_MESSAGE, "a little, to warm up", lambda _: None)
        await self._many()
        await self._single()
        await self._idle()
        await self._grown()
        self.findings.rss_mb_max = max(self._processes.highest.values())
        return 0

    async def _ceiling(self, made: list[Input]) -> float:
        """Send these results through the ceiling's hops, the services being idle; return the seconds it took."""
        bodies = messages(made, A_MESSAGE)
        count = sum(body.count(b'"specversion"') for body in bodies)
        say = self._progress.console.print
        return count / await baseline_max.measure(
            self._running.amqp_url, self._running.database_url, bodies, count, say
        )

    async def _many(self) -> None:
        """Send the results through, and through the ceiling: half of them before, half after, since the speed of a
        machine that is shared with others changes by the minute."""
        made = await asyncio.to_thread(inputs, self.findings.results, "bench")
        half = len(made) // 2
        seconds = await self._ceiling(made[:half])
        await self._services(made)
        seconds += await self._ceiling(made[half:])
        self.findings.ceiling_per_second = len(made) / seconds
        self.findings.ceiling_ratio = self.findings.results_per_second / self.findings.ceiling_per_second

    async def _services(self, made: list[Input]) -> None:
        early: dict[str, float] = {}
        before = self._processes.seconds()

        def look(share: float) -> None:
            memory = self._processes.memory()
            if share >= EARLY and not early:
                early.update(memory)

        seconds = await self._through(made, "bench", A_MESSAGE, "results, 50 a message", look)
        self.findings.results_per_second = len(made) / seconds
        after = self._processes.seconds()
        self.findings.cpu_share = shares(before, after, seconds)
        self.findings.cpu_us_per_result = sum(each(before, after, len(made)).values())
        late = self._processes.memory()
        highest = self._processes.highest
        self.findings.rss_mb = {
            name: {"early": round(early[name], 1), "end": round(late[name], 1), "highest": round(highest[name], 1)}
            for name in sorted(late)
        }

    async def _single(self) -> None:
        count = max(int(SINGLE_RESULTS * self._scale), AT_LEAST_SINGLE)
        made = await asyncio.to_thread(inputs, count, "single")
        before = self._processes.seconds()
        seconds = await self._through(made, "single", 1, "results, one a message", lambda _: self._processes.memory())
        self.findings.single_per_second = len(made) / seconds
        self.findings.single_cpu_us_per_result = sum(each(before, self._processes.seconds(), len(made)).values())

    async def _grown(self) -> None:
        """Send results through a system that holds so much already: another tenant's, in the same tables."""
        count = max(self.findings.results // 10, AT_LEAST_RESULTS)
        there = 0
        for size in (0, *(max(1, int(size * self._scale)) for size in GROWN)):
            if size > there:
                say = self._progress.console.print
                await fill(self._running.database_url, LONG_RUN, f"there-{size}", size - there, say)
                there = size
            made = await asyncio.to_thread(inputs, count, f"grown-{size}")
            title = f"results, {size:,} addresses being there"
            seconds = await self._through(made, f"grown-{size}", A_MESSAGE, title, lambda _: self._processes.memory())
            self.findings.grown[str(size)] = len(made) / seconds

    async def _through(
        self, made: list[Input], tenant: str, size: int, title: str, look: Callable[[float], Any]
    ) -> float:
        """Send results through, wait until all is done, compare with the oracle; return the seconds it took."""
        expected = expect(made)
        bodies = messages(made, size)
        total = sum(expected.events.values())
        task = self._progress.add_task(title, total=total)

        def seen(done: Events) -> None:
            count = sum((done & expected.events).values())
            self._progress.update(task, completed=count)
            look(count / total)

        before = await self._events()
        started = time.monotonic()
        publishing = asyncio.create_task(
            publish(self._running.sender_urls[SENDER], COMMANDS, f"delivery.result.{tenant}.{SENDER}", bodies)
        )
        await until_done(self._running.urls, before, expected.events, seen)
        ended = await settled(self._running.database_url, tenant)
        await publishing
        found = await compare(self._running.database_url, tenant, expected)
        self.findings.differences += [f"{title}: {line}" for line in found[:20]]
        self.findings.oracle_equal = not self.findings.differences
        return ended - started

    async def _idle(self) -> None:
        """Publish one dead address after another, each in an idle system, and take the time until it is blocked."""
        count = max(int(IDLE_SAMPLES * self._scale), AT_LEAST_IDLE)
        dead = [item for item in inputs(count * 100, "idle", seed=2) if item.kind == "dead"]
        by_address = {item.address: item for item in dead}  # one each: a second one would not block again
        samples = list(by_address.values())[:count]
        task = self._progress.add_task("idle: until blocked", total=len(samples))
        seconds: list[float] = []
        connection = await aio_pika.connect(self._running.amqp_url)
        async with connection, connection.channel() as channel:
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(EVENTS, "address.blocked.idle")
            heard: asyncio.Queue[bytes] = asyncio.Queue()

            async def hear(message: aio_pika.abc.AbstractIncomingMessage) -> None:
                heard.put_nowait(message.body)

            await queue.consume(hear, no_ack=True)
            exchange = await channel.get_exchange(COMMANDS, ensure=False)
            for item in samples:
                started = time.monotonic()
                message = aio_pika.Message(item.body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, f"delivery.result.idle.{SENDER}")
                while address_of(item.address).encode() not in await asyncio.wait_for(heard.get(), 30):
                    pass
                seconds.append(time.monotonic() - started)
                self._progress.advance(task)
                await asyncio.sleep(IDLE_PAUSE)
        self.findings.idle_block_p50_ms = statistics.median(seconds) * 1000
        self.findings.idle_block_p99_ms = statistics.quantiles(seconds, n=100, method="inclusive")[98] * 1000

    async def _events(self) -> Events:
        async with httpx.AsyncClient(timeout=30) as client:
            return await events_so_far(client, self._running.urls)


def run(scale: float, console: Console) -> Findings:
    """Start a system of its own, measure, and stop it. Raises `RuntimeError` when a run comes to a halt."""
    with (
        Progress(console=console) as progress,
        own_system(Options(senders={SENDER: ()}, console_logs=False), console) as own,
    ):
        measured = Run(own.running, scale, progress, own.folder)
        own.measure(measured.work)
        return measured.findings


def show(findings: Findings, console: Console) -> None:
    """Print a table of what was measured and what it should be."""
    table = Table("figure", "measured", "wanted", title=f"{findings.results:,} delivery results")
    for name, least in LIMITS.items():
        table.add_row(name, f"{getattr(findings, name):,.2f}", f"at least {least:,}")
    for name, most in MOST.items():
        table.add_row(name, f"{getattr(findings, name):,.1f}", f"at most {most:,}")
    table.add_row("idle_block_p50_ms", f"{findings.idle_block_p50_ms:,.1f}", "")
    table.add_row("cpu_us_per_result", f"{findings.cpu_us_per_result:,.1f}", "")
    table.add_row("single_cpu_us_per_result", f"{findings.single_cpu_us_per_result:,.1f}", "")
    table.add_row("ceiling_per_second", f"{findings.ceiling_per_second:,.0f}", "")
    for size, rate in findings.grown.items():
        table.add_row(f"results a second, {int(size):,} addresses there", f"{rate:,.0f}", "")
    table.add_row("oracle_equal", str(findings.oracle_equal), "True")
    console.print(table)
    usage = Table(
        "process", "cores", "MiB after a tenth", "at the end", "highest", title="While the results ran through"
    )
    for name, share in findings.cpu_share.items():
        memory = findings.rss_mb.get(name, {})
        usage.add_row(
            name, f"{share:.2f}", *(f"{memory[key]:.0f}" if memory else "" for key in ("early", "end", "highest"))
        )
    console.print(usage)
    for line in findings.differences:
        console.print(f"differs: {line}")


def main() -> None:
    """Exit code 1 when the state is not the oracle's."""
    findings = command.measure(__doc__, run, show)
    sys.exit(0 if findings.oracle_equal else 1)


if __name__ == "__main__":
    main()
