"""The connections of a service: several hosts, hosts that go and that hang, consumers that the broker ends."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from yarl import URL

from returpost.amqp.connections import CONNECTION_ERRORS, Connection, open_connection, urls_of
from returpost.contracts import DeliveryRecorded, ids
from returpost.contracts.cloudevents import Event, event
from returpost.errors import InvalidSettings
from shared.messaging.topology import queues
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from shared.settings import ServiceSettings
from shared.transient_errors import is_infrastructure
from tests.support.harness import TENANT, Harness, eventually
from tests.support.proxy import proxy

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE = "classifier.delivery-recorded"


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("amqp://a/", ["amqp://a/"]),
        ("amqps://u:p%40@a:5671/v", ["amqps://u:p%40@a:5671/v"]),
        (
            "amqp://u:p@a:1,b:2, c/v?heartbeat=5",
            ["amqp://u:p@a:1/v?heartbeat=5", "amqp://u:p@b:2/v?heartbeat=5", "amqp://u:p@c/v?heartbeat=5"],
        ),
        ("amqp://u:p@[::1]:1,[::2]:2/", ["amqp://u:p@[::1]:1/", "amqp://u:p@[::2]:2/"]),
    ],
)
def test_a_url_of_several_hosts_is_one_url_each(url: str, urls: list[str]) -> None:
    assert urls_of(url) == urls


@pytest.mark.parametrize("url", ["", "http://a/", "amqp://", "amqp://u:secret@a:x/", "amqp://u:secret@a:1,,b:2/"])
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        urls_of(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(RuntimeError("x"), False), (RecursionError("x"), False), (ConnectionResetError(), True), (TimeoutError(), True)],
)
def test_a_defect_of_a_handler_is_no_fault_of_the_infrastructure(error: Exception, expected: bool) -> None:
    assert is_infrastructure(error) is expected


class Seen:
    """A service that notes which addresses it got."""

    def __init__(self) -> None:
        self.addresses: set[str] = set()

    def create(self, settings: ServiceSettings) -> Service[ServiceSettings]:
        service = Service("classifier", settings, description="probe")
        service.consume(QUEUE, DeliveryRecorded, self.take)
        return service

    async def take(self, events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
        self.addresses |= {item.data.address for item in events}

    async def gets(self, harness: Harness, n: int) -> None:
        """Publish one event past the service's own connections, and wait until the service has it."""
        address = f"u{n}@example.com"
        data = DeliveryRecorded(mailing="m-1", address=address, result="delivered", time=MOMENT, sender="news")
        await harness.send(event(data, id=ids.of_content(n), source="/test", tenant=TENANT), detail="delivered")
        await eventually(lambda: asyncio.sleep(0, address in self.addresses))


@pytest.mark.anyio
@pytest.mark.services
async def test_another_host_takes_over(harness: Harness) -> None:
    seen = Seen()
    async with proxy(harness.amqp_url) as first, proxy(harness.amqp_url) as second:
        ports = [urlsplit(one.url).port for one in (first, second)]
        url = first.url.replace(f":{ports[0]}/", f":{ports[0]},127.0.0.1:{ports[1]}/")
        async with harness.running(seen.create, ServiceSettings, "classifier", amqp_url=url):
            await seen.gets(harness, 1)
            await first.cut()
            await seen.gets(harness, 2)
            await first.mend()
            await second.cut()
            await seen.gets(harness, 3)


@pytest.mark.anyio
@pytest.mark.services
async def test_a_list_without_a_living_host_says_so(harness: Harness) -> None:
    with pytest.raises(CONNECTION_ERRORS):
        async with open_connection("amqp://guest:guest@127.0.0.1:1,127.0.0.1:2/"):
            pass
    parts = urlsplit(harness.amqp_url)
    for hosts in (f"127.0.0.1:1,{parts.hostname}:{parts.port}", f"{parts.hostname}:{parts.port},127.0.0.1:1"):
        credentials = parts.netloc.rpartition("@")[0]
        async with open_connection(parts._replace(netloc=f"{credentials}@{hosts}").geturl()) as connection:
            assert not connection.is_closed


@pytest.mark.anyio
@pytest.mark.services
async def test_a_broker_that_hangs_stops_neither_health_nor_the_consumer_for_good(harness: Harness) -> None:
    seen = Seen()
    async with (
        proxy(harness.amqp_url) as way,
        harness.running(seen.create, ServiceSettings, "classifier", amqp_url=way.url) as running,
    ):
        await seen.gets(harness, 1)
        way.hold()
        for _ in range(2):  # a question that is cut short must not take a channel with it that others use
            async with asyncio.timeout(5):  # it takes 0.8 s; without a bound it would be for ever
                health = (await running.http.get("/health/ready")).json()
            assert health["consumers"][QUEUE]["waiting"] is None
        way.release()
        await seen.gets(harness, 2)
        await eventually(lambda: running.http.get("/health/ready"), lambda answer: answer.status_code == 200)


@pytest.mark.anyio
@pytest.mark.services
async def test_a_queue_that_is_made_anew_is_consumed_again(harness: Harness) -> None:
    seen = Seen()
    (queue,) = [one for one in queues(("news",)) if one.name == QUEUE]
    async with harness.running(seen.create, ServiceSettings, "classifier") as running:
        await seen.gets(harness, 1)
        await harness.channel.queue_delete(QUEUE)
        (subscriber,) = running.service.subscribers
        await eventually(lambda: asyncio.sleep(0, not subscriber.alive))
        made = await harness.channel.declare_queue(QUEUE, durable=True, arguments=queue.arguments)
        await made.bind("returpost.events", "delivery.recorded.#")
        await seen.gets(harness, 2)


@pytest.mark.anyio
async def test_a_connection_that_is_not_opened_is_closed() -> None:
    """Else aio-pika asks for its close when it is thrown away, and nobody awaits that."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        connection = Connection(URL(f"amqp://guest:guest@127.0.0.1:{taken.getsockname()[1]}/"))
        with pytest.raises(CONNECTION_ERRORS):
            await connection.connect()
    assert connection.is_closed
