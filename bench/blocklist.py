"""The blocklist: checks of one, of many and of files, verdicts, the mirror, and how cost grows with the addresses.

    python -m bench.blocklist --scale 0.01 --json blocklist.json

It starts a system of its own, fills the blocklist with 100,000, 1,000,000 and 10,000,000 addresses (times the scale) of
which one in five is blocked, and measures at each size. See README.md.
"""

import asyncio
import contextlib
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import count

import aio_pika
import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench import command
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
BLOCKED = 5
"""One in so many is blocked."""
LEAST = 10_000
TENANT = "bench"
ONES, TENS, IDLE = 500, 60, 200
VERDICTS, A_MESSAGE = 100_000, 50
LOOK_UPS = 1_000_000
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
FILL = """
    INSERT INTO blocklist.addresses (tenant, address, version, return_count, cause, reason, since, mailing)
    SELECT $1, 'user' || n || '@mail' || n % 5000 || '.example.com',
           CASE WHEN n % 5 = 0 THEN 1760000000000000 + n ELSE 0 END,
           (n % 5 = 0)::integer, CASE WHEN n % 5 = 0 THEN 'dead_address' END,
           CASE WHEN n % 5 = 0 THEN 'user_unknown' END, CASE WHEN n % 5 = 0 THEN timestamptz '2026-01-01' END,
           CASE WHEN n % 5 = 0 THEN 'm1' END
    FROM generate_series($2::bigint, $3::bigint) AS n
"""


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
    """One run over one system."""

    def __init__(self, running: Running, token: str, scale: float, say: Callable[[str], None]) -> None:
        self.findings = Findings()
        self._running = running
        self._url = running.urls["blocklist"]
        self._token = token
        self._scale = scale
        self._say = say
        self._random = random.Random(1)

    async def work(self) -> int:
        """Fill and measure, size by size."""
        filled = 0
        for size in SIZES:
            count = max(int(size * self._scale), LEAST)
            if count <= filled:
                continue
            await self._fill(filled, count)
            filled = count
            await self._measure(count)
        await self._verdicts()
        await self._idle()
        return 0

    async def _fill(self, start: int, end: int) -> None:
        self._say(f"filling up to {end:,} addresses")
        database = await asyncpg.connect(self._running.database_url, command_timeout=3_600)
        for first in range(start, end, 250_000):
            await database.execute(FILL, TENANT, first, min(first + 250_000, end) - 1)
        await database.execute("VACUUM ANALYZE blocklist.addresses")
        await database.close()

    async def _measure(self, count: int) -> None:
        self._say(f"measuring with {count:,} addresses")
        found = self.findings
        found.addresses = count
        async with httpx.AsyncClient(base_url=self._url, timeout=600, headers=self._headers) as http:
            found.check_one_p99_ms = await self._check(http, 1, ONES)
            found.check_10k_p99_ms = await self._check(http, 10_000, TENS)
            lines = max(100_000, min(count, 2_000_000))
            found.check_stream_first_s = await self._stream(http, lines)
            found.check_stream_per_second = lines / min([await self._stream(http, lines) for _ in range(2)])
        await self._mirror(count)
        found.curves[str(count)] = {
            name: value for name, value in asdict(found).items() if isinstance(value, float) and value
        }

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _addresses(self, number: int) -> list[str]:
        """Return addresses of which about one in five is blocked."""
        places = (self._random.randrange(self.findings.addresses) for _ in range(number))
        return [f"user{n}@mail{n % 5000}.example.com" for n in places]

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

    async def _mirror(self, count: int) -> None:
        found, started = self.findings, time.perf_counter()
        async with Mirror(self._url, self._token, self._running.amqp_url, TENANT) as mirror:
            await mirror.ready(600)
            found.mirror_catch_up_s = time.perf_counter() - started
            assert len(mirror) == (count + BLOCKED - 1) // BLOCKED, len(mirror)
            found.mirror_bytes_per_address = mirror.bytes / len(mirror)
            asked = self._addresses(LOOK_UPS)
            before = time.process_time()
            blocked = sum(1 for address in asked if address in mirror)
            found.mirror_lookups_per_second = LOOK_UPS / (time.process_time() - before)
            before = time.process_time()
            assert len(mirror.skip(asked)) == blocked
            found.mirror_skip_per_second = LOOK_UPS / (time.process_time() - before)

    async def _verdicts(self) -> None:
        """Publish verdicts, and wait until the blocklist has applied them."""
        number = max(int(VERDICTS * self._scale), LEAST)
        self._say(f"{number:,} verdicts")
        made = [_verdict(n) for n in range(number)]
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
                await asyncio.sleep(0.1)
                done = (await events_so_far(client, urls))[QUEUE, "processed"]
            self.findings.verdicts_per_second = number / (time.perf_counter() - started)
            await publishing

    async def _idle(self) -> None:
        """Publish one dead address after the other, and take the time until a reader of the stream has its block."""
        self._say("idle: from the verdict to a reader of the stream")
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
                made = _verdict(100_000_000 + n, dead=True)
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


def _verdict(n: int, *, dead: bool = False) -> Event[BounceClassified]:
    verdict = Verdict(
        type=VerdictType.HARD,
        reason=Reason.USER_UNKNOWN if dead else Reason.MAILBOX_FULL,
        fault=Fault.RECIPIENT,
        confidence=0.9,
        dead_address=dead,
        rule="bench.rule",
    )
    data = BounceClassified(
        mailing=f"m{n % 10}", address=f"bounced{n}@example.com", time=datetime.now(UTC), sender="default",
        verdict=verdict, attempt=0,
    )  # fmt: skip
    return event(data, id=f"bench-{n}", source="/bench", tenant=TENANT)


def run(scale: float, console: Console) -> Findings:
    """Start a system of its own, measure, and stop it."""
    with own_system(Options(services=("blocklist",), console_logs=False), console) as own:
        measured = Run(own.running, own.token(ALL_TENANTS), scale, console.print)
        own.measure(measured.work)
        return measured.findings


def show(findings: Findings, console: Console) -> None:
    """Print what was measured and what is wanted."""
    sizes = list(findings.curves)
    table = Table("figure", *(f"{int(size):,}" for size in sizes), "wanted", title="The blocklist, by addresses")
    for name in asdict(findings):
        if name in ("addresses", "curves"):
            continue
        row = [findings.curves[size].get(name) for size in sizes]
        if not any(row):
            row[-1] = getattr(findings, name)
        cells = ["" if value is None else f"{value:,.1f}" for value in row]
        table.add_row(name, *cells, WANTED.get(name, ""))
    console.print(table)


def main() -> None:
    """Measure and tell."""
    command.measure(__doc__, run, show)


if __name__ == "__main__":
    main()
