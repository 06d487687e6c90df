"""Replay: dead letters grouped, searched, planned and replayed; the archive into a new blocklist; the circuit breaker.

    python -m bench.replay --scale 0.01 --json replay.json

It starts a RabbitMQ and a PostgreSQL of its own with replay and blocklist. After each part the state is compared with
what it must be; the exit code is 1 when it differs. See README.md.
"""

import asyncio
import contextlib
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import aio_pika
import asyncpg
import httpx
from rich.console import Console
from rich.table import Table

from bench.load import command, dead_letters
from bench.load.dead_letters import A_MESSAGE, ARCHIVED, DIFFERENT, GROUPS, INTO, MAILINGS, OF_LETTERS, QUEUED
from bench.load.own_system import OwnSystem, own_system, percentile
from bench.load.publishing import publish
from deploy.local.local_stack import Options
from returpost.amqp.publisher import Publisher
from returpost.client import BlockStream
from returpost.contracts import AddressBlocked, BounceClassified, DeliveryRecorded
from returpost.contracts.cloudevents import Event, encode
from returpost.contracts.routing import EVENTS
from shared.http.auth import ALL_TENANTS
from shared.messaging.topology import queues
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from shared.settings import ServiceSettings

LETTERS, EVENTS_ARCHIVED, EVENTS_QUEUED = 100_000, 10_000_000, 50_000
AT_LEAST = 1_000
A_QUEUED_MESSAGE = 50
LIVE = 200
"""Blocks before the archive is replayed, one after another; meanwhile as many as there is time for."""
LIVE_TENANT = "live"
TIMES = 3
PATIENCE = 120.0
"""Seconds without any progress after which the run has failed."""
FAILING = "actions.delivery-recorded"
FIELDS = ("fingerprint", "queue", "type", "tenant", "hour", "release")
GROUPINGS = (("fingerprint", "queue"), ("queue",), ("type",), ("tenant", "hour"), ("release",), FIELDS)
WANTED = {
    "group_ms": "<= 300",
    "search_ms": "<= 200",
    "plan_ms": "<= 1,000",
    "replay_per_second": ">= 2,000",
    "archive_per_second": ">= 10,000",
    "live_p99_ratio": "<= 2",
    "breaker_letters": "<= 100",
}


@dataclass
class Findings:
    """What was measured, by the names of the JSON."""

    group_ms: float = 0.0
    """The slowest of several ways, each the median of some; search and plan, too."""
    search_ms: float = 0.0
    plan_ms: float = 0.0
    replay_per_second: float = 0.0
    """From the request until the last is processed."""
    archive_per_second: float = 0.0
    """From the request until the blocklist has applied the last."""
    live_p99_ratio: float = 0.0
    """A block from publish to a reader of the stream, while the archive is replayed, to before."""
    breaker_letters: int = 0
    """Of what is queued for a handler that fails for all."""


class Run:
    """One run over one system."""

    def __init__(self, own: OwnSystem, scale: float, say: Callable[[str], None]) -> None:
        self.findings = Findings()
        self.differences: list[str] = []
        self._own = own
        self._running = own.running
        self._scale = scale
        self._say = say
        self._http: httpx.AsyncClient
        self._database: Any

    async def work(self) -> int:
        """Measure all."""
        headers = {"Authorization": f"Bearer {self._own.token(ALL_TENANTS)}"}
        self._database = await asyncpg.connect(self._running.database_url, command_timeout=600)
        async with httpx.AsyncClient(base_url=self._running.urls["replay"], headers=headers, timeout=600) as self._http:
            await self._without_readers()
            for part in (self._letters, self._archive, self._breaker):
                await part()
        await self._database.close()
        return 0

    async def _letters(self) -> None:
        """Look at many dead letters in several ways, and replay them."""
        number, found = self._size(LETTERS), self.findings
        await self._fill_letters(number)
        for fields in GROUPINGS:
            groups, ms = await self._timed("GET", "/v1/dead-letters/groups", params={"by": fields})
            self._expect("groups", sum(group["count"] for group in groups["items"]), number)
            found.group_ms = max(found.group_ms, ms)
        groups, _ = await self._timed("GET", "/v1/dead-letters/groups", params={"by": ["fingerprint"]})
        sizes = Counter(n % GROUPS for n in range(number))
        self._expect("sizes of groups", sorted(g["count"] for g in groups["items"]), sorted(sizes.values()))
        (sample,) = (await self._ask("GET", "/v1/dead-letters", params={"limit": 1, "mailing": "m7"}))["items"]
        for wanted, total in (
            ({"text": f"kind {dead_letters.kind(7)}"}, len(range(7, number, GROUPS))),
            ({"fingerprint": sample["fingerprint"]}, None),
            ({"mailing": "m3", "tenant": "bench3"}, len(range(3, number, MAILINGS))),
            ({"event": sample["event_id"]}, 1),
        ):
            page, ms = await self._timed("GET", "/v1/dead-letters", params=wanted)
            if total is not None:
                self._expect(f"found by {', '.join(wanted)}", page["total"], total)
            found.search_ms = max(found.search_ms, ms)
        wanted = {"selection": {"all": True}, "canary": 0, "slow_start": False, "stop_after": None}
        plan, found.plan_ms = await self._timed("POST", "/v1/dead-letters/plan", json=wanted)
        self._expect("planned", plan["dead_letters"], number)
        self._say(f"group {found.group_ms:.0f} ms, search {found.search_ms:.0f} ms, plan {found.plan_ms:.0f} ms")
        started = time.perf_counter()
        job = await self._ask(
            "POST", "/v1/dead-letters/replay", json={**wanted, "why": "a benchmark", "confirm": number}
        )
        ended = await self._ended(job["job"])
        found.replay_per_second = number / (time.perf_counter() - started)
        self._expect("replayed", [ended[name] for name in ("state", "processed", "failed")], ["finished", number, 0])
        differ = await self._database.fetchval(DIFFERENT.format(expected=dead_letters.LETTERS), OF_LETTERS, number)
        self._expect("states that differ after the replay", differ, 0)
        self._say(f"{found.replay_per_second:,.0f} dead letters/s until processed")

    async def _archive(self) -> None:
        """Replay an archive into a blocklist that knows nothing of it, while it blocks others."""
        number, found = self._size(EVENTS_ARCHIVED), self.findings
        addresses = max(1, number // dead_letters.ADDRESSES_OF)
        began = datetime.now(UTC)
        connection = await aio_pika.connect(self._running.amqp_url)
        async with connection, connection.channel() as channel:
            queue, key = await channel.get_queue(INTO, ensure=False), "bounce.classified.*"
            await queue.unbind(EVENTS, key)
            self._say(f"archiving {number:,} events")
            bodies = list(dead_letters.archive_bodies(number, addresses))
            await publish(self._running.amqp_url, EVENTS, f"bounce.classified.{ARCHIVED}", bodies)
            del bodies
            await queue.bind(EVENTS, key)
        self._expect("known before", await self._count("blocklist.history", ARCHIVED), 0)
        async with self._blocks() as block:
            before = percentile([await block() for _ in range(LIVE)], 99)
            started = time.perf_counter()
            selection = {
                "type": BounceClassified.TYPE, "since": (began - timedelta(minutes=1)).isoformat(), "into": INTO,
                "until": (datetime.now(UTC) + timedelta(days=1)).isoformat(), "tenant": ARCHIVED,
            }  # fmt: skip
            job = await self._ask(
                "POST", "/v1/archive/replay", json={"selection": selection}, params={"expected": number}
            )
            applying = asyncio.create_task(self._applied(job["job"], number))
            meanwhile = [await block()]
            while not applying.done():
                meanwhile.append(await block())
            found.archive_per_second = number / (await applying - started)
        found.live_p99_ratio = percentile(meanwhile, 99) / before
        differ = await self._database.fetchval(
            DIFFERENT.format(expected=dead_letters.ARCHIVE), ARCHIVED, number, addresses
        )
        self._expect("states that differ after the replay of the archive", differ, 0)
        self._say(
            f"{found.archive_per_second:,.0f} archived events/s; {len(meanwhile)} blocks meanwhile, p99 "
            f"{percentile(meanwhile, 99) * 1000:.0f} ms, median {statistics.median(meanwhile) * 1000:.0f} ms; "
            f"{before * 1000:.0f} ms before"
        )

    async def _breaker(self) -> None:
        """Give queued events to a handler that fails for all, mend it when it has been tried again, and wait."""
        number = self._size(EVENTS_QUEUED)
        made = [dead_letters.recorded(n) for n in range(number)]
        bodies = [encode(made[at : at + A_QUEUED_MESSAGE])[0] for at in range(0, number, A_QUEUED_MESSAGE)]
        await publish(self._running.amqp_url, EVENTS, f"delivery.recorded.{QUEUED}.sent", bodies)
        processed, tries, broken = Counter[str](), 0, True

        async def handle(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
            nonlocal tries
            if broken:
                tries += consumer.breaker.is_open
                raise KeyError("a bad release")
            processed.update(one.id for one in events)

        settings = ServiceSettings(amqp_url=self._url_of("actions"), token_keys="k" * 32, http_port=0)
        service = Service("actions", settings, description="", stateless=True)
        service.consume(FAILING, DeliveryRecorded, handle)
        consumer = service.subscribers[0].consumer
        async with service.app.router.lifespan_context(service.app):
            await _until(lambda: asyncio.sleep(0, tries), lambda seen: seen >= TIMES)
            letters = await self._of_queue(consumer.breaker.limits.failures)
            broken = False
            await _until(lambda: asyncio.sleep(0, len(processed)), lambda seen: seen >= number - len(letters))
        letters = await self._of_queue(len(letters))
        self.findings.breaker_letters = len(letters)
        self._expect(
            "lost, or both processed and a dead letter", sorted([*processed, *letters]), sorted(e.id for e in made)
        )
        self._say(f"{len(letters)} of {number:,} are dead letters, the others are processed")

    async def _of_queue(self, at_least: int) -> list[str]:
        """Return the ids of the events of the breaker's queue that became dead letters."""
        rows = await _until(
            lambda: self._database.fetch("SELECT event_id FROM replay.dead_letters WHERE queue = $1", FAILING),
            lambda seen: len(seen) >= at_least,
        )
        return [row["event_id"] for row in rows]

    async def _fill_letters(self, number: int) -> None:
        """Publish dead letters as the blocklist would, and wait until all are kept."""
        self._say(f"making {number:,} dead letters")
        connection = await aio_pika.connect(self._url_of("blocklist"))
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            publisher = Publisher(channel)
            for start in range(0, number, A_MESSAGE):
                await publisher.publish([dead_letters.letter(n) for n in range(start, min(start + A_MESSAGE, number))])
        await _until(lambda: self._count("replay.dead_letters", OF_LETTERS), lambda seen: seen == number)
        await self._database.execute("VACUUM ANALYZE replay.dead_letters")

    @asynccontextmanager
    async def _blocks(self) -> AsyncIterator[Callable[[], Awaitable[float]]]:
        """Give what blocks an address, and returns the seconds from its publish until a reader of the stream has it."""
        heard: asyncio.Queue[str] = asyncio.Queue()

        async def read() -> None:
            async for part in BlockStream(self._running.amqp_url, LIVE_TENANT).read("next"):
                for item in part.events:
                    if isinstance(item.data, AddressBlocked):
                        heard.put_nowait(item.data.address)

        number = 0
        connection = await aio_pika.connect(self._running.amqp_url)
        async with connection, connection.channel() as channel:
            exchange = await channel.get_exchange(EVENTS, ensure=False)

            async def say() -> str:
                nonlocal number
                number += 1
                # A domain each: many of one domain are a storm, and block nobody.
                made = dead_letters.verdict_on(number, f"live@m{number}.example.com", LIVE_TENANT, dead=True)
                message = aio_pika.Message(encode([made])[0], delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, f"bounce.classified.{LIVE_TENANT}")
                return made.data.address

            async def block() -> float:
                started = time.perf_counter()
                address = await say()
                async with asyncio.timeout(PATIENCE):
                    while await heard.get() != address:
                        pass
                return time.perf_counter() - started

            reading = asyncio.create_task(read())
            for _ in range(LIVE):  # until the reader is there: it hears only of what comes after
                await say()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(heard.get(), 1)
                    break
            yield block
            reading.cancel()

    async def _applied(self, job: str, number: int) -> float:
        """Return when the blocklist had applied all that a job sends."""
        ended = await self._ended(job)
        self._expect("archive sent", [ended["state"], ended["done"]], ["finished", number])
        await _until(lambda: self._count("blocklist.history", ARCHIVED), lambda seen: seen >= number)
        return time.perf_counter()

    async def _ended(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = await _until(
            lambda: self._ask("GET", f"/v1/jobs/{job}"),
            lambda seen: seen["state"] not in ("running", "waiting"),
            lambda seen: (seen["done"], seen["processed"]),
        )
        return found

    async def _timed(self, method: str, path: str, **given: Any) -> tuple[Any, float]:
        """Ask several times; return the answer, and the median of the milliseconds."""
        seconds = []
        for _ in range(TIMES):
            started = time.perf_counter()
            answer = await self._ask(method, path, **given)
            seconds.append(time.perf_counter() - started)
        return answer, statistics.median(seconds) * 1000

    async def _ask(self, method: str, path: str, **given: Any) -> Any:
        return (await self._http.request(method, path, **given)).raise_for_status().json()

    async def _count(self, table: str, tenant: str) -> int:
        found: int = await self._database.fetchval(f"SELECT count(*) FROM {table} WHERE tenant LIKE $1 || '%'", tenant)  # noqa: S608
        return found

    async def _without_readers(self) -> None:
        """Delete queues that nobody reads here: they would hold all that is archived once more."""
        connection = await aio_pika.connect(self._running.amqp_url)
        async with connection, connection.channel() as channel:
            for queue in queues(()):
                if queue.name.startswith(("actions.", "classifier.")) and queue.name != FAILING:
                    await channel.queue_delete(queue.name)

    def _url_of(self, service: str) -> str:
        """Return the broker's URL as a service: of a dead letter only services are believed who failed."""
        parts, user = urlsplit(self._running.amqp_url), f"returpost-{service}"
        password = quote(self._own.installation.secrets().broker[user], safe="")
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))

    def _size(self, full: int) -> int:
        return max(int(full * self._scale), AT_LEAST)

    def _expect(self, what: str, seen: Any, expected: Any) -> None:
        if seen != expected:
            self.differences.append(f"{what}: {str(seen)[:200]}, not {str(expected)[:200]}")


async def _until(
    look: Callable[[], Awaitable[Any]],
    accept: Callable[[Any], bool],
    moves: Callable[[Any], Any] = lambda seen: seen,
) -> Any:
    """Look until what is seen is accepted. Raises `RuntimeError` when nothing moves any more."""
    last, moved = None, time.monotonic()
    while not accept(seen := await look()):
        if moves(seen) != last:
            last, moved = moves(seen), time.monotonic()
        if time.monotonic() - moved > PATIENCE:
            raise RuntimeError(f"nothing moves any more: {str(seen)[:500]}")
        await asyncio.sleep(0.1)
    return seen


def show(findings: Findings, differences: list[str], console: Console) -> None:
    """Print what was measured and what is wanted, and what is not as it must be."""
    table = Table("figure", "measured", "wanted", title="Replay")
    for name, value in asdict(findings).items():
        table.add_row(name, f"{value:,.1f}", WANTED[name])
    console.print(table)
    for line in differences:
        console.print(f"differs: {line}", style="bold red")


def main() -> None:
    """Measure and tell; exits with 1 when a state differs."""
    given = command.read(command.arguments(__doc__))
    console = Console(stderr=True)
    with own_system(Options(services=("replay", "blocklist"), console_logs=False), console) as own:
        run = Run(own, given.scale, console.print)
        own.measure(run.work)
    show(run.findings, run.differences, console)
    command.write(given.json, run.findings)
    if run.differences:
        sys.exit(1)


if __name__ == "__main__":
    main()
