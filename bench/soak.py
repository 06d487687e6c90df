"""A system at half load for a long time: what it uses must stay flat.

    python -m bench.soak --minutes 60 --json soak.json --svg soak.svg

It starts a system of its own, measures how many results a second pass, and then sends half as many, steadily. Meanwhile
it looks at memory and open handles of each service, memory and connections of the broker, connections of the database,
messages that wait, rows in the outboxes, and the size of tables and indexes. Exit code 1 when something grows that must
not. See README.md.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench.load import command
from bench.load.monitor import events_so_far, until_done
from bench.load.oracle import expect
from bench.load.own_system import OwnSystem, own_system
from bench.load.processes import MEBIBYTE, Processes
from bench.load.publishing import publish
from bench.load.timelines import picture
from bench.load.workload import SENDER, inputs, messages
from deploy.database import SERVICES
from deploy.local.local_stack import Options
from deploy.rabbitmq import broker
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import COMMANDS
from shared.messaging import topology

FULL_MINUTES = 60
BURST, A_MESSAGE = 20_000, 50
SAMPLES = 240
"""How often it is looked at, at most every five seconds."""
FLAT = 1.1
"""The median of the last third may be so many times that of the middle third; what is small may grow by `SMALL`."""
SMALL = {"memory": 8.0, "handles": 6, "connections": 4, "waiting": 2_000, "outbox": 2_000}
SIZES = """
    SELECT sum(pg_table_size(c.oid))::float8 AS tables, sum(pg_indexes_size(c.oid))::float8 AS indexes
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname = ANY($1)
"""


@dataclass
class Findings:
    """What was measured; the names are those of the JSON."""

    minutes: float
    results_per_second_at_most: float = 0.0
    results_per_second: float = 0.0
    results: int = 0
    at: list[float] = field(default_factory=list)
    """Minutes since the load began, of each sample."""
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    """By quantity and name; memory and sizes in MiB."""
    bytes_per_result: dict[str, float] = field(default_factory=dict)
    """What tables and indexes grew by for each result, in the middle and the last third."""
    grown: list[str] = field(default_factory=list)
    """What is not flat."""


class Soak:
    """One run over one system."""

    def __init__(self, own: OwnSystem, findings: Findings) -> None:
        self._own, self._findings = own, findings
        self._processes = Processes(own.folder)
        self._url = own.running.sender_urls[SENDER]
        self._sent: list[int] = []
        self._ended = asyncio.Event()

    async def work(self) -> int:
        """Measure the full load, keep half of it up, and look meanwhile."""
        found = self._findings
        self._processes.find()
        found.results_per_second_at_most = await self._full_load()
        rate = max(A_MESSAGE, round(found.results_per_second_at_most / 2 / A_MESSAGE) * A_MESSAGE)
        began = time.monotonic()
        watching = asyncio.create_task(self._watch(began))
        await self._send(rate, began)
        found.results_per_second = round(found.results / (time.monotonic() - began), 1)
        self._ended.set()
        await watching
        judge(found, self._sent)
        return 0

    async def _full_load(self) -> float:
        made = inputs(BURST, "burst")
        async with httpx.AsyncClient(timeout=30) as client:
            before = await events_so_far(client, self._own.running.urls)
        began = time.monotonic()
        publishing = asyncio.create_task(publish(self._url, COMMANDS, _key("burst"), messages(made, A_MESSAGE)))
        _, ended = await until_done(self._own.running.urls, before, expect(made).events, lambda _: None)
        await publishing
        return round(len(made) / (ended - began), 1)

    async def _send(self, rate: int, began: float) -> None:
        """Send so many results in each second, a tenant of its own in each minute."""
        connection = await aio_pika.connect(self._url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(COMMANDS, ensure=False)
            for second in range(round(self._findings.minutes * 60)):
                tenant = f"soak-{second // 60}"
                if second % 60 == 0:
                    bodies = iter(messages(inputs(rate * 60, tenant, seed=second, junk=0), A_MESSAGE))
                due = [body for body, _ in zip(bodies, range(rate // A_MESSAGE), strict=False)]
                await asyncio.sleep(max(0.0, began + second - time.monotonic()))
                await asyncio.gather(
                    *(exchange.publish(aio_pika.Message(body, content_type=BATCHED), _key(tenant)) for body in due)
                )
                self._findings.results += A_MESSAGE * len(due)

    async def _watch(self, began: float) -> None:
        pause = min(5.0, self._findings.minutes * 60 / SAMPLES)
        database = await asyncpg.connect(self._own.running.database_url)
        while not self._ended.is_set():
            self._findings.at.append(round((time.monotonic() - began) / 60, 3))
            self._sent.append(self._findings.results)
            for quantity, values in (await self._sample(database)).items():
                for name, value in values.items():
                    self._findings.samples.setdefault(quantity, {}).setdefault(name, []).append(round(value, 1))
            try:
                await asyncio.wait_for(self._ended.wait(), pause)
            except TimeoutError:
                continue
        await database.close()

    async def _sample(self, database: asyncpg.Connection) -> dict[str, dict[str, float]]:
        rabbit = self._processes.servers["rabbitmq"]
        queues = await asyncio.to_thread(broker.states, self._own.running.amqp_url, (SENDER,))
        kept = {
            queue.name for queue in topology.queues((SENDER,)) if queue.is_stream or queue.name.startswith("sender.")
        }
        outboxes = [
            await database.fetchval(f"SELECT count(*) FROM {service}.outbox")  # noqa: S608 - a service's name
            for service in SERVICES
            if await database.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{service}.outbox")
        ]
        (sizes,) = await database.fetch(SIZES, list(SERVICES))
        return {
            "memory": self._processes.memory() | {"rabbitmq": rabbit.memory_info().rss / MEBIBYTE},
            "handles": {name: one.num_fds() for name, one in self._processes.services.items()},
            "connections": {
                "rabbitmq": len(rabbit.net_connections("tcp")),
                "postgresql": await database.fetchval("SELECT count(*) FROM pg_stat_activity WHERE client_port > 0"),
            },
            "waiting": {"messages": sum(queue.waiting for queue in queues if queue.name not in kept)},
            "outbox": {"rows": sum(outboxes)},
            "sizes": {"tables": sizes["tables"] / MEBIBYTE, "indexes": sizes["indexes"] / MEBIBYTE},
        }


def judge(found: Findings, sent: Sequence[int]) -> None:
    """Say what is not flat: of memory and the like the level, of tables and indexes what each result adds."""
    third = len(found.at) // 3
    if not third:
        return
    for quantity, allowed in SMALL.items():
        for name, values in found.samples[quantity].items():
            middle, last = statistics.median(values[third : 2 * third]), statistics.median(values[2 * third :])
            if last > max(FLAT * middle, middle + allowed):
                found.grown.append(f"{quantity} of {name}: {middle:,.0f}, then {last:,.0f}")
    for name, values in found.samples["sizes"].items():
        middle = _each(values[third : 2 * third], sent[third : 2 * third])
        last = _each(values[2 * third :], sent[2 * third :])
        found.bytes_per_result |= {f"{name}, middle third": middle, f"{name}, last third": last}
        if last > FLAT * middle:
            found.grown.append(f"{name}: {middle:,.0f} bytes a result, then {last:,.0f}")


def _each(sizes: Sequence[float], sent: Sequence[int]) -> float:
    return round((sizes[-1] - sizes[0]) * MEBIBYTE / max(1, sent[-1] - sent[0]), 1)


def _key(tenant: str) -> str:
    return f"delivery.result.{tenant}.{SENDER}"


def show(found: Findings, console: Console) -> None:
    """Print first, highest and last of each line."""
    table = Table(title=f"{found.results:,} results in {found.minutes:g} minutes, {found.results_per_second:,.0f}/s")
    for column in ("quantity", "of", "first", "highest", "last"):
        table.add_column(column, justify="left" if column in ("quantity", "of") else "right")
    for quantity, lines in found.samples.items():
        for name, values in lines.items():
            table.add_row(quantity, name, *(f"{value:,.0f}" for value in (values[0], max(values), values[-1])))
    for name, size in found.bytes_per_result.items():
        table.add_row("bytes a result", name, "", "", f"{size:,.0f}")
    console.print(table)
    for line in found.grown or ["nothing has grown that must not"]:
        console.print(line, highlight=False)


def main() -> None:
    """Take the arguments, run, print, draw."""
    parser = command.arguments(__doc__)
    parser.add_argument("--minutes", type=float, metavar="N", help=f"how long ({FULL_MINUTES}, times the scale)")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="where to draw the lines")
    given = command.read(parser)
    console = Console(stderr=True)
    findings = Findings(given.minutes or FULL_MINUTES * given.scale)
    options = Options(senders={SENDER: ()}, console_logs=False)
    with own_system(options, console) as own:
        own.measure(lambda: Soak(own, findings).work())
    show(findings, console)
    command.write(given.json, findings)
    if given.svg:
        given.svg.write_text(picture(findings.at, findings.samples), encoding="utf-8")
    sys.exit(1 if findings.grown else 0)


if __name__ == "__main__":
    main()
