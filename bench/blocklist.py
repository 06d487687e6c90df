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
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import aio_pika
import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench.load import command
from bench.load.blocklist_seed import TENANT, address, fill
from bench.load.own_system import own_system, percentile
from bench.load.publishing import publish
from deploy.local.local_stack import Options
from returpost.cli.installation import Running
from returpost.client import BlockStream, Mirror
from returpost.contracts import AddressBlocked, BounceClassified, Verdict, ids
from returpost.contracts.cloudevents import Event, encode, event
from returpost.contracts.enums import Fault, Reason, VerdictType
from returpost.contracts.routing import EVENTS
from shared.http.auth import ALL_TENANTS

SIZES = (100_000, 1_000_000, 10_000_000)
LEAST = 10_000
STEPS = ("one", "stream", "many", "mirror", "verdicts", "idle")
ONES, TENS, IDLE = 1_000, 100, 200
VERDICTS, A_MESSAGE = 100_000, 50
LOOK_UPS = 1_000_000
COUNT_BLOCKED = "SELECT count(*) FROM blocklist.addresses WHERE tenant = $1 AND cause IS NOT NULL"
COUNT_APPLIED = "SELECT count(*) FROM blocklist.history WHERE tenant = $1 AND time >= $2"
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
    check_one_p50_ms: float = 0.0
    check_one_p99_ms: float = 0.0
    check_10k_p50_ms: float = 0.0
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
        self._name = str(uuid4())
        """Of this run: the same event twice would count once."""

    async def work(self, steps: Sequence[str], say: Callable[[str], None]) -> int:
        """Take the steps, in their order."""
        found = self.findings
        curve = found.curves.setdefault(str(found.addresses), {})
        async with httpx.AsyncClient(base_url=self._url, timeout=600, headers=self._headers) as http:
            ways: dict[str, Callable[[], Awaitable[None]]] = {
                "one": self._ones, "many": self._many, "stream": lambda: self._files(http),
                "mirror": self._mirror, "verdicts": self._verdicts, "idle": self._idle,
            }  # fmt: skip
            for step in steps:
                before = asdict(found)
                await ways[step]()
                new = {name: value for name, value in asdict(found).items() if value != before[name]}
                curve |= new
                say(f"{found.addresses:,}: " + ", ".join(f"{name} {value:,.1f}" for name, value in new.items()))
                self._save()
        return 0

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _addresses(self, number: int) -> list[str]:
        """Return addresses of which about one in five is blocked."""
        return [address(self._random.randrange(self.findings.addresses)) for _ in range(number)]

    async def _ones(self) -> None:
        seconds = await asyncio.to_thread(self._check, 1, ONES)
        self.findings.check_one_p50_ms, self.findings.check_one_p99_ms = _milliseconds(seconds)

    async def _many(self) -> None:
        seconds = await asyncio.to_thread(self._check, 10_000, TENS)
        self.findings.check_10k_p50_ms, self.findings.check_10k_p99_ms = _milliseconds(seconds)

    async def _files(self, http: httpx.AsyncClient) -> None:
        found = self.findings
        lines = max(100_000, min(found.addresses, 2_000_000))
        found.check_stream_first_s = await self._stream(http, lines)
        found.check_stream_per_second = lines / min([await self._stream(http, lines) for _ in range(2)])

    def _check(self, number: int, times: int) -> list[float]:
        """Ask one after another over one connection, by a client that takes little of what is measured."""
        headers, seconds = self._headers | {"Content-Type": "application/json"}, []
        with contextlib.closing(HTTPConnection(self._url.removeprefix("http://"), timeout=60)) as http:
            for _ in range(times):
                body = json.dumps({"addresses": self._addresses(number)})
                started = time.perf_counter()
                http.request("POST", f"/v1/check?tenant={TENANT}", body, headers)
                answer = http.getresponse()
                answer.read()
                seconds.append(time.perf_counter() - started)
                assert answer.status == httpx.codes.OK
        return seconds

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
        async with Mirror(self._url, self._token, TENANT, amqp_url=self._running.amqp_url) as mirror:
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
        made = [_verdict(ids.derived(self._name, "bench", n), address(n)) for n in places]
        bodies = [encode(made[start : start + A_MESSAGE])[0] for start in range(0, number, A_MESSAGE)]
        database = await asyncpg.connect(self._running.database_url)
        began, started = made[0].data.time, time.perf_counter()
        publishing = asyncio.create_task(publish(self._running.amqp_url, EVENTS, f"bounce.classified.{TENANT}", bodies))
        while await database.fetchval(COUNT_APPLIED, TENANT, began) < number:  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.2)
        self.findings.verdicts_per_second = number / (time.perf_counter() - started)
        await publishing
        await database.close()

    async def _idle(self) -> None:
        """Publish one dead address after the other, and take the time until a reader of the stream has its block."""
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def read() -> None:
            async for part in BlockStream(self._running.amqp_url, TENANT).read("next"):
                for item in part.events:
                    if isinstance(item.data, AddressBlocked):
                        heard.put_nowait(item.data.address)

        reading = asyncio.create_task(read())
        seconds: list[float] = []
        connection = await aio_pika.connect(self._running.amqp_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(EVENTS, ensure=False)

            async def say(n: int) -> str:
                made = _verdict(f"{self._name}-{n}", f"idle@m{n}.{self._name}.example.com", dead=True)
                message = aio_pika.Message(encode([made])[0], delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, f"bounce.classified.{TENANT}")
                return made.data.address

            # A domain each: many of one domain are a storm, and block nobody.
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
        self.findings.block_to_subscriber_p50_ms, self.findings.block_to_subscriber_p99_ms = _milliseconds(seconds)


def _milliseconds(seconds: list[float]) -> tuple[float, float]:
    """Return the median and what one in a hundred exceeds."""
    return statistics.median(seconds) * 1000, percentile(seconds, 99) * 1000


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
        mailing="m1", address=of, time=datetime.now(UTC), sender="default", verdict=verdict, attempt=0
    )
    return event(data, id=identity, source="/bench", tenant=TENANT)


def run(given: argparse.Namespace, console: Console) -> Findings:
    """Start a system of its own, fill it and measure, size by size, and stop it."""
    findings = Findings()
    rounds = ([step for step in given.steps if step != "verdicts"], 1), (["verdicts"], given.workers)
    with ExitStack() as stack:
        keep = given.keep or Path(stack.enter_context(TemporaryDirectory(prefix="returpost-bench-")))
        for size in sorted({max(int(size * given.scale), LEAST) for size in given.sizes}):
            findings.addresses = size
            for steps, workers in rounds:
                if set(steps) & set(given.steps):
                    _measure(findings, steps, workers, keep, given.json, console)
    return findings


def _measure(
    findings: Findings, steps: Sequence[str], workers: int, keep: Path, json_file: Path | None, console: Console
) -> None:
    options = Options(services=("blocklist",), workers={"blocklist": workers}, console_logs=False)
    with own_system(options, console, keep) as own:
        started = time.perf_counter()
        asyncio.run(fill(own.running.database_url, findings.addresses))
        console.print(f"{findings.addresses:,} addresses there after {time.perf_counter() - started:.0f} s")
        at_size = Run(own.running, own.token(ALL_TENANTS), findings, lambda: command.write(json_file, findings))
        own.measure(partial(at_size.work, steps, console.print))


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
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes that apply verdicts")
    given = command.read(parser)
    console = Console(stderr=True)
    show(run(given, console), console)


if __name__ == "__main__":
    main()
