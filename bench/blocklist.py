"""The blocklist: checks of one, of many and of files, verdicts, the mirror, and how cost grows with the addresses.

    python -m bench.blocklist --scale 0.01 --json blocklist.json

It starts a system of its own, fills the blocklist with 100,000, 1,000,000 and 10,000,000 addresses (times the scale) of
which one in five is blocked, and measures at each size. `--sizes` and `--steps` choose, `--keep` keeps what was filled
for the next run; figures are written after each step. See README.md.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from uuid import uuid4

import aio_pika
import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench import command
from bench.blocklist_filling import TENANT, address, fill
from bench.own_system import own_system, percentile
from bench.publishing import publish
from bench.watching import events_so_far
from returpost.client import BlockStream, Mirror
from returpost.home import Running
from returpost.system import Options
from shared.cloudevents import Event, encode, event
from shared.contracts import BounceClassified, Verdict
from shared.security import ALL_TENANTS
from shared.topology import EVENTS
from shared.vocabulary import Fault, Reason, VerdictType

SIZES = (100_000, 1_000_000, 10_000_000)
LEAST = 10_000
STEPS = ("one", "many", "stream", "mirror", "verdicts", "idle")
ONES, TENS, IDLE = 500, 60, 200
VERDICTS, A_MESSAGE = 100_000, 50
LOOK_UPS = 1_000_000
COUNT_BLOCKED = "SELECT count(*) FROM blocklist.addresses WHERE tenant = $1 AND cause IS NOT NULL"
QUEUE = "blocklist.bounce-classified"
WANTED = {
    "check_one_p99_ms": "<= 5",
    "check_10k_p99_ms": "<= 60",
    "check_stream_per_second": ">= 300,000",
    "mirror_lookups_per_second": ">= 1,000,000",
    "mirror_bytes_per_address": "<= 64",
    "mirror_catch_up_s": "<= 60",
    "verdicts_per_second": ">= 10,000",
    "block_to_subscriber_p99_ms": "<= 50",
}


@dataclass
class Findings:
    """What was measured, by the names of the JSON; at the largest size, with all sizes in `curves`."""

    addresses: int = 0
    check_one_p99_ms: float = 0.0
    check_10k_p99_ms: float = 0.0
    check_stream_per_second: float = 0.0
    check_stream_first_s: float = 0.0
    """The first long file after a start, for which the filter is made."""
    mirror_lookups_per_second: float = 0.0
    """One at a time, by processor seconds: on one core."""
    mirror_skip_per_second: float = 0.0
    """Many at once."""
    mirror_bytes_per_address: float = 0.0
    mirror_catch_up_s: float = 0.0
    verdicts_per_second: float = 0.0
    block_to_subscriber_p50_ms: float = 0.0
    block_to_subscriber_p99_ms: float = 0.0
    curves: dict[str, dict[str, float]] = field(default_factory=dict)


class Run:
    """The measurements at one size."""

    def __init__(self, running: Running, token: str, findings: Findings, save: Callable[[], None]) -> None:
        """`save` is called when something is found."""
        self.findings = findings
        self._running = running
        self._url = running.urls["blocklist"]
        self._token = token
        self._save = save
        self._random = random.Random(1)
        self._name = uuid4().hex
        """Of this run: the same event twice would count once."""

    async def work(self, steps: Sequence[str], say: Callable[[str], None]) -> int:
        """Take the steps, in their order."""
        found = self.findings
        curve = found.curves.setdefault(str(found.addresses), {})
        async with httpx.AsyncClient(base_url=self._url, timeout=600, headers=self._headers) as http:
            ways: dict[str, Callable[[], Awaitable[None]]] = {
                "one": lambda: self._ones(http), "many": lambda: self._many(http), "stream": lambda: self._files(http),
                "mirror": self._mirror, "verdicts": self._verdicts, "idle": self._idle,
            }  # fmt: skip
            for step in steps:
                before = asdict(found)
                await ways[step]()
                curve |= {name: value for name, value in asdict(found).items() if value != before[name]}
                say(f"{found.addresses:,}: {step}: " + ", ".join(f"{name} {curve[name]:,.1f}" for name in curve))
                self._save()
        return 0

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _addresses(self, number: int) -> list[str]:
        """Return addresses of which about one in five is blocked."""
        return [address(self._random.randrange(self.findings.addresses)) for _ in range(number)]

    async def _ones(self, http: httpx.AsyncClient) -> None:
        self.findings.check_one_p99_ms = await self._check(http, 1, ONES)

    async def _many(self, http: httpx.AsyncClient) -> None:
        self.findings.check_10k_p99_ms = await self._check(http, 10_000, TENS)

    async def _files(self, http: httpx.AsyncClient) -> None:
        found = self.findings
        lines = max(100_000, min(found.addresses, 2_000_000))
        found.check_stream_first_s = await self._stream(http, lines)
        found.check_stream_per_second = lines / min([await self._stream(http, lines) for _ in range(2)])

    async def _check(self, http: httpx.AsyncClient, number: int, times: int) -> float:
        seconds = []
        for _ in range(times):
            body = json.dumps({"addresses": self._addresses(number)})
            started = time.perf_counter()
            answer = await http.post(
                "/v1/check", content=body, params={"tenant": TENANT}, headers={"Content-Type": "application/json"}
            )
            seconds.append(time.perf_counter() - started)
            answer.raise_for_status()
        return percentile(seconds, 99) * 1000

    async def _stream(self, http: httpx.AsyncClient, number: int) -> float:
        body = "".join(f"{address}\n" for address in self._addresses(number)).encode()
        pieces = [body[start : start + 262_144] for start in range(0, len(body), 262_144)]

        async def sending() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        started = time.perf_counter()
        answer = await http.post(
            "/v1/check", content=sending(), params={"tenant": TENANT}, headers={"Content-Type": "text/plain"}
        )
        seconds = time.perf_counter() - started
        counts = json.loads(answer.raise_for_status().text.rstrip().rpartition("\n")[2])
        assert counts["checked"] == number
        return seconds

    async def _mirror(self) -> None:
        database = await asyncpg.connect(self._running.database_url)
        count = await database.fetchval(
            "SELECT count(*) FROM blocklist.addresses WHERE cause IS NOT NULL AND tenant = $1", TENANT
        )
        await database.close()
        found, started = self.findings, time.perf_counter()
        async with Mirror(self._url, self._token, self._running.amqp_url, TENANT) as mirror:
            await mirror.ready(600)
            found.mirror_catch_up_s = time.perf_counter() - started
            assert len(mirror) == count, len(mirror)
            found.mirror_bytes_per_address = mirror.bytes / len(mirror)
            asked = self._addresses(LOOK_UPS)
            before = time.process_time()
            blocked = sum(1 for address in asked if address in mirror)
            found.mirror_lookups_per_second = LOOK_UPS / (time.process_time() - before)
            before = time.process_time()
            assert len(mirror.skip(asked)) == blocked
            found.mirror_skip_per_second = LOOK_UPS / (time.process_time() - before)

    async def _verdicts(self) -> None:
        """Publish verdicts on addresses that are known, and wait until the blocklist has applied them."""
        number = min(VERDICTS, self.findings.addresses)
        places = self._random.sample(range(self.findings.addresses), number)
        made = [_verdict(f"{self._name}-{n}", address(n)) for n in places]
        bodies = [encode(made[start : start + A_MESSAGE])[0] for start in range(0, number, A_MESSAGE)]
        async with httpx.AsyncClient(timeout=30) as client:
            urls = {"blocklist": self._url}
            before = (await events_so_far(client, urls))[QUEUE, "processed"]
            started = time.perf_counter()
            publishing = asyncio.create_task(
                publish(self._running.amqp_url, EVENTS, f"bounce.classified.{TENANT}", bodies)
            )
            done = before
            while done - before < number:
                await asyncio.sleep(0.2)
                done = (await events_so_far(client, urls))[QUEUE, "processed"]
            self.findings.verdicts_per_second = number / (time.perf_counter() - started)
            await publishing

    async def _idle(self) -> None:
        """Publish one dead address after the other, and take the time until a reader of the stream has its block."""
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def read() -> None:
            async for part in BlockStream(self._running.amqp_url, TENANT).read("next"):
                for item in part.events:
                    heard.put_nowait(item.data.address)

        reading = asyncio.create_task(read())
        seconds: list[float] = []
        connection = await aio_pika.connect(self._running.amqp_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(EVENTS, ensure=False)

            async def say(n: int) -> str:
                made = _verdict(f"{self._name}-{n}", f"idle{n}@{self._name}.example.com", dead=True)
                message = aio_pika.Message(encode([made])[0], delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, f"bounce.classified.{TENANT}")
                return made.data.address

            for n in count(IDLE):  # until the reader is there: it hears only of what comes after
                await say(n)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(heard.get(), 1)
                    break
            for n in range(IDLE):
                started = time.perf_counter()
                address = await say(n)
                while await asyncio.wait_for(heard.get(), 30) != address:
                    pass
                seconds.append(time.perf_counter() - started)
        reading.cancel()
        self.findings.block_to_subscriber_p50_ms = statistics.median(seconds) * 1000
        self.findings.block_to_subscriber_p99_ms = percentile(seconds, 99) * 1000


def _verdict(identity: str, of: str, *, dead: bool = False) -> Event[BounceClassified]:
    verdict = Verdict(
        type=VerdictType.HARD,
        reason=Reason.USER_UNKNOWN if dead else Reason.MAILBOX_FULL,
        fault=Fault.RECIPIENT,
        confidence=0.9,
        dead_address=dead,
        rule="bench.rule",
    )
    data = BounceClassified(
        mailing=identity, address=of, time=datetime.now(UTC), sender="default", verdict=verdict, attempt=0
    )
    return event(data, id=identity, source="/bench", tenant=TENANT)


def run(given: argparse.Namespace, console: Console) -> Findings:
    """Start a system of its own, fill it and measure, size by size, and stop it."""
    findings = Findings()
    options = Options(services=("blocklist",), console_logs=False)
    with own_system(options, console, given.keep) as own:
        for size in sorted({max(int(size * given.scale), LEAST) for size in given.sizes}):
            console.print(f"filling up to {size:,} addresses")
            started = time.perf_counter()
            asyncio.run(fill(own.running.database_url, size))
            console.print(f"filled in {time.perf_counter() - started:.0f} s")
            findings.addresses = size
            at_size = Run(own.running, own.token(ALL_TENANTS), findings, lambda: command.write(given.json, findings))
            own.measure(partial(at_size.work, given.steps, console.print))
    return findings


def show(findings: Findings, console: Console) -> None:
    """Print what was measured and what is wanted."""
    sizes = list(findings.curves)
    table = Table("figure", *(f"{int(size):,}" for size in sizes), "wanted", title="The blocklist, by addresses")
    for name in asdict(findings):
        if name in ("addresses", "curves"):
            continue
        row = [findings.curves[size].get(name) for size in sizes]
        if any(row):
            table.add_row(name, *("" if value is None else f"{value:,.1f}" for value in row), WANTED.get(name, ""))
    console.print(table)


def main() -> None:
    """Measure and tell."""
    parser = command.arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="how many addresses")
    parser.add_argument("--steps", nargs="+", default=STEPS, choices=STEPS, help="what to measure")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep what was filled there, and use it again")
    given = command.read(parser)
    console = Console(stderr=True)
    show(run(given, console), console)


if __name__ == "__main__":
    main()
