"""The consumer and the outbox against a real broker and database: at least once in, exactly once in effect."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiormq
import asyncpg
import pytest
from aio_pika.exceptions import ChannelPreconditionFailed

from returpost.contracts import DeliveryRecorded, DeliveryResult, ids
from returpost.contracts.cloudevents import Event, encode, event
from returpost.contracts.routing import COMMANDS, DEAD_LETTERS, EVENTS
from returpost.errors import InvalidMessage
from shared.http.auth import ALL_TENANTS
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from shared.settings import ServiceSettings
from tests.support.harness import TENANT, Harness, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

QUEUE = "classifier.delivery-recorded"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = f"delivery.recorded.{TENANT}.delivered"


def recorded(n: int, **changes: Any) -> Event[DeliveryRecorded]:
    data = {"mailing": "m-1", "address": f"u{n}@example.com", "result": "delivered", "time": MOMENT, "sender": "news"}
    return event(
        DeliveryRecorded.model_validate(data | changes),
        id=ids.of_content(n),
        source="/test",
        tenant=TENANT,
        subject="m-1",
    )


class Probe:
    """A service that counts events in a table of its own, and passes each on once."""

    def __init__(self) -> None:
        self.begun = 0
        """Batches that were begun, whether or not the gate is open."""
        self.batches: list[int] = []
        self.poison: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    def create(self, settings: ServiceSettings) -> Service[ServiceSettings]:
        service = Service("classifier", settings, description="probe")
        service.consume(QUEUE, DeliveryRecorded, self.take)
        return service

    async def take(self, events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
        self.begun += 1
        await self.gate.wait()
        self.batches.append(len(events))
        for item in events:
            if item.data.address in self.poison:
                raise ZeroDivisionError("poison")
            if item.data.mailing == "refused":
                work.refuse(item, "data.mailing: refused by the rule")
            if item.data.mailing == "never":
                raise InvalidMessage("data.mailing: can never be applied")
        rows = await work.connection.fetch(
            "INSERT INTO probe SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING id",
            sorted({item.id for item in events}),
        )
        new = {row["id"] for row in rows}
        for item in {item.id: item for item in events if item.id in new}.values():
            result = DeliveryResult(
                mailing="m-2", address=item.data.address, result="opened", time=MOMENT, sender="news"
            )
            follower = event(result, id=ids.derived(item.id, "opened"), source="/probe", tenant=TENANT)
            work.command(follower, "news")


@pytest.fixture
async def probe(harness: Harness) -> Probe:
    await harness.fetch("classifier", "CREATE TABLE probe (id text PRIMARY KEY)")
    await harness.fetch("classifier", "GRANT ALL ON probe TO returpost_classifier")
    return Probe()


async def counted(harness: Harness) -> int:
    rows = await harness.fetch("classifier", "SELECT count(*) FROM probe")
    return int(rows[0]["count"])


async def test_an_event_alone_goes_through_at_once(harness: Harness, probe: Probe) -> None:
    async with harness.running(probe.create, ServiceSettings, "classifier"):
        await harness.send(recorded(1), detail="delivered")
        await eventually(lambda: harness.depth("ingest.delivery-result"))
    assert await counted(harness) == 1
    assert probe.batches == [1]


async def test_what_gathers_is_one_batch(harness: Harness, probe: Probe) -> None:
    probe.gate.clear()
    async with harness.running(probe.create, ServiceSettings, "classifier") as running:
        (subscriber,) = running.service.subscribers
        await harness.send(recorded(0), detail="delivered")
        await eventually(lambda: asyncio.sleep(0, probe.begun), lambda begun: begun == 1)
        await asyncio.gather(*(harness.send(recorded(n), detail="delivered") for n in range(1, 8)))
        # A queue is empty as soon as RabbitMQ has sent all, which need not be here yet.
        await eventually(lambda: asyncio.sleep(0, len(subscriber.consumer.arrivals)), lambda here: here == 7)
        probe.gate.set()
        await eventually(lambda: counted(harness), lambda count: count == 8)
    assert probe.batches == [1, 7]


async def test_repeats_have_no_effect(harness: Harness, probe: Probe) -> None:
    async with harness.running(probe.create, ServiceSettings, "classifier"):
        for _ in range(46):
            await harness.send(*[recorded(n) for n in range(3)], detail="delivered")
        await harness.send(recorded(3), detail="delivered")  # the last in the queue: all before it are done by then
        await eventually(lambda: counted(harness), lambda count: count == 4)
    assert await counted(harness) == 4
    followers = await harness.take_events("ingest.delivery-result")
    assert len({value["id"] for value in followers}) == len(followers) == 4


@pytest.mark.parametrize("mailing", ["refused", "never", "m-1"])
async def test_a_poison_event_in_a_batch_of_500(harness: Harness, probe: Probe, mailing: str) -> None:
    bad = recorded(250, mailing=mailing)
    if mailing == "m-1":
        probe.poison.add("u250@example.com")
    events = [recorded(n) for n in range(500)]
    events[250] = bad
    body, _ = encode(events)
    exact = json.dumps(json.loads(encode([bad])[0]) | {"own-field": "kept"}, indent=1).encode()
    body = body.replace(encode([bad])[0], exact)
    async with harness.running(probe.create, ServiceSettings, "classifier"):
        await harness.publish(EVENTS, KEY, body)
        await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 1)
        await eventually(lambda: counted(harness), lambda count: count >= 499)
    (letter,) = await harness.take(DEAD_LETTERS)
    assert letter.body == exact
    assert letter.headers["x-returpost-queue"] == QUEUE
    assert letter.headers["x-returpost-routing-key"] == KEY
    assert letter.headers["x-returpost-attempt"] == 1
    assert ("ZeroDivisionError" in str(letter.headers["x-returpost-error"])) == (mailing == "m-1")


BAD: dict[str, tuple[bytes, str]] = {
    "broken": (b"{", "JSON"),
    "empty": (b"", "JSON"),
    "nul": (b"\x00", "JSON"),
    "trailing": (b"[]x", "JSON array"),
    "schema": (b'{"specversion": "1.0"}', "id"),
    "type": (encode([recorded(1)])[0].replace(b".recorded.v1", b".recorded.v9"), "type"),
    "tenant": (encode([recorded(1)])[0].replace(b'"tenant":"acme"', b'"tenant":"rival"'), "tenant"),
    "nul-escape": (encode([recorded(1)])[0].replace(b"u1@", b"u\\u0000@"), "address"),
    "version": (encode([recorded(1)])[0].replace(b'"specversion":"1.0",', b""), "specversion"),
    "year-1": (encode([recorded(1)])[0].replace(b'"2026-01-02T03:04:05Z"', b'"0001-01-01T00:00:00+14:00"'), "time"),
    "20MB": (b'{"a": "' + b"x" * 20_000_000 + b'"}', "bytes"),  # the last: RabbitMQ 4 closes the channel
}


async def test_bad_messages_are_kept_and_the_rest_goes_on(
    harness: Harness, probe: Probe, subtests: pytest.Subtests
) -> None:
    async with harness.running(probe.create, ServiceSettings, "classifier"):
        for number, (case, (body, error)) in enumerate(BAD.items(), 1):
            with subtests.test(case):
                try:
                    await harness.publish(EVENTS, KEY, body)
                except ChannelPreconditionFailed:
                    assert len(body) > 16 * 1024 * 1024, "what RabbitMQ 4 takes at most"
                    return
                await harness.send(recorded(1 + number), detail="delivered")
                await eventually(lambda: counted(harness), number.__eq__)
                await eventually(lambda: harness.depth(DEAD_LETTERS), (1).__eq__)
                (letter,) = await harness.take(DEAD_LETTERS)
                assert letter.body == body
                assert error in str(letter.headers["x-returpost-error"])


async def test_a_consumer_that_fits_its_prefetch_is_ready_all_the_while(
    harness: Harness, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harness.running(probe.create, ServiceSettings, "classifier") as running:
        (subscriber,) = running.service.subscribers
        kind: Any = aiormq.Channel
        cancel = kind.basic_cancel
        seen: list[bool] = []

        async def looked_at(channel: Any, tag: str, **options: Any) -> Any:
            seen.append(subscriber.alive)
            return await cancel(channel, tag, **options)

        monkeypatch.setattr(kind, "basic_cancel", looked_at)
        await harness.send(recorded(1), detail="delivered")
        await eventually(lambda: asyncio.sleep(0, bool(seen)))
        monkeypatch.undo()
        assert seen == [True]
        await harness.send(recorded(2), detail="delivered")
        await eventually(lambda: counted(harness), lambda count: count == 2)


async def test_the_database_away_holds_the_queue_and_loses_nothing(harness: Harness, probe: Probe) -> None:
    async with harness.running(probe.create, ServiceSettings, "classifier") as running:
        await harness.fetch("classifier", "ALTER TABLE probe RENAME TO away")
        await harness.send(*[recorded(n) for n in range(10)], detail="delivered")
        held = await eventually(lambda: running.http.get("/health/ready"), lambda answer: answer.status_code == 503)
        assert held.json()["consumers"][QUEUE]["paused_seconds"] is not None
        await harness.fetch("classifier", "ALTER TABLE away RENAME TO probe")
        await eventually(lambda: counted(harness), lambda count: count == 10)
        await eventually(lambda: running.http.get("/health/ready"), lambda answer: answer.status_code == 200)
    assert await harness.depth(DEAD_LETTERS) == 0


async def test_the_outbox_of_a_dead_predecessor_is_published(harness: Harness, probe: Probe) -> None:
    body, content_type = encode([recorded(1)])
    await harness.fetch(
        "classifier",
        "INSERT INTO outbox (exchange, routing_key, body, content_type, written_at)"
        " VALUES ($1, $2, $3, $4, now() - interval '1 minute')",
        COMMANDS, f"delivery.result.{TENANT}.news", body, content_type,
    )  # fmt: skip
    async with harness.running(probe.create, ServiceSettings, "classifier"):
        await eventually(lambda: harness.depth("ingest.delivery-result"), lambda depth: depth == 1)
        await eventually(lambda: harness.fetch("classifier", "SELECT FROM outbox"), lambda rows: not rows)


async def test_a_stop_finishes_the_batch_in_hand(harness: Harness, probe: Probe) -> None:
    probe.gate.clear()
    async with harness.running(probe.create, ServiceSettings, "classifier"):
        await harness.send(*[recorded(n) for n in range(10)], detail="delivered")
        await eventually(lambda: asyncio.sleep(0, probe.begun), lambda begun: begun == 1)
        asyncio.get_running_loop().call_later(0.2, probe.gate.set)
    assert await counted(harness) == 10
    assert await harness.depth(QUEUE) == 0
    assert len(await harness.take_events("ingest.delivery-result")) == 10


async def test_a_service_may_read_and_write_its_own_tables_alone(harness: Harness) -> None:
    connection = await asyncpg.connect(harness.database_urls["classifier"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT * FROM blocklist.outbox")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE classifier.more ()")
    finally:
        await connection.close()


async def fill(harness: Harness, count: int) -> None:
    for start in range(0, count, 500):
        await harness.send(*(recorded(n) for n in range(start, start + 500)), detail="delivered")


async def test_a_handler_that_fails_for_all_leaves_the_queue_alone_and_goes_on_by_itself(
    harness: Harness, probe: Probe
) -> None:
    probe.poison = {f"u{n}@example.com" for n in range(5_000)}
    await fill(harness, 5_000)
    async with harness.running(probe.create, ServiceSettings, "classifier") as running:
        (subscriber,) = running.service.subscribers
        await eventually(lambda: asyncio.sleep(0, subscriber.consumer.breaker.is_open))
        health = (await running.http.get("/health/ready")).json()
        assert not health["ok"]
        assert health["consumers"][QUEUE]["failing"]["error"] == "ZeroDivisionError"
        assert await harness.depth(DEAD_LETTERS) == 20
        probe.poison.clear()
        await eventually(lambda: counted(harness), lambda count: count == 4_980)
        assert await harness.depth(DEAD_LETTERS) == 20
        assert not subscriber.consumer.breaker.is_open


async def test_one_in_fifty_that_fails_opens_it_and_an_operator_closes_it(harness: Harness, probe: Probe) -> None:
    probe.poison = {f"u{n}@example.com" for n in range(0, 3_000, 50)}
    await fill(harness, 3_000)
    async with harness.running(probe.create, ServiceSettings, "classifier") as running:
        (subscriber,) = running.service.subscribers
        await eventually(lambda: asyncio.sleep(0, subscriber.consumer.breaker.is_open))
        operator = {"Authorization": f"Bearer {harness.token(tenant=ALL_TENANTS)}"}
        assert (await running.http.post(f"/v1/consumers/{QUEUE}/resume")).status_code == 403
        answer = await running.http.post(f"/v1/consumers/{QUEUE}/resume", headers=operator)
        assert answer.json() == {"queue": QUEUE, "was_open": True, "was_paused": False}
        probe.poison.clear()
        await eventually(lambda: harness.depth(QUEUE), lambda depth: depth == 0)
        letters = await harness.depth(DEAD_LETTERS)
        assert 20 <= letters < 60
        await eventually(lambda: counted(harness), lambda count: count == 3_000 - letters)
        assert (await running.http.post("/v1/consumers/no.queue/resume", headers=operator)).status_code == 404
