"""Every command of every service, forged by users of a real broker in every way that its permissions let through."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import anyio.to_thread
import pytest

from deploy.generate.documents import _wired
from deploy.rabbitmq.broker import apply
from returpost.amqp.publisher import Message, Publisher
from returpost.client import RetryConsumer
from returpost.contracts import AddressErase, BlockSet, ContactUpsert, RetryRequested, ids
from returpost.contracts.cloudevents import Event, encode, event
from returpost.contracts.routing import COMMANDS, DEAD_LETTERS, SERVICES, routing_key
from shared.messaging import topology
from shared.messaging.broker import Broker, BrokerPublisher
from shared.messaging.consumer import Consumer
from shared.messaging.direct_publisher import DirectPublisher
from shared.messaging.subscriber import BatchSubscriber
from shared.messaging.unit_of_work import UnitOfWork
from tests.deploy.rabbitmq.test_broker import CRMS, PASSWORDS, SENDERS
from tests.support.harness import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

MOMENT = "2026-01-02T03:04:05+00:00"
KEYS = {"sender-acme-mail": "delivery.result.acme.acme-mail", "crm-acme-crm": "contact.upsert.acme"}
"""A key of each attacker's own. Both are limited to the tenant acme."""
WITH_SENDER = ("delivery.result", "kumomta.log", "mailing.pause", "mailing.resume")
"""What is routed by the sender too."""
RETRY = RetryRequested.model_validate(
    {"mailing": "m", "address": "a@example.com", "sender": "news", "attempt": 2, "due": MOMENT, "reason": "greylisted"}
)


class Installation:
    """All consumers of all services, each on a connection of its service's own user; handlers note what they get."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.taken: list[Event[Any]] = []
        self.queues: dict[str, type[Any]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Installation"]:
        async with AsyncExitStack() as stack:
            for service in SERVICES[:-1]:
                url = self.urls[f"returpost-{service}"]
                broker = await stack.enter_async_context(Broker(url, service).running())
                publisher = BrokerPublisher(broker.publishing)
                for one in _wired(service).subscribers:
                    wired = one.consumer
                    if one.exchange != COMMANDS:
                        continue
                    self.queues[wired.queue] = wired.contract
                    consumer = Consumer(wired.queue, wired.contract, self._take, read=wired._own_read)
                    consumer.wire(DirectPublisher(publisher), publisher, asyncio.Event().wait)
                    subscriber = BatchSubscriber(consumer, one.exchange)
                    await subscriber.start(broker.consuming)
                    stack.push_async_callback(subscriber.stop)
            yield self

    async def _take(self, events: Sequence[Event[Any]], work: UnitOfWork) -> None:
        self.taken += events

    @asynccontextmanager
    async def as_user(self, name: str) -> AsyncIterator["User"]:
        async with await aio_pika.connect(self.urls[name]) as connection:
            yield User(connection)


class User:
    """Publishes as a client of any make would."""

    def __init__(self, connection: aio_pika.abc.AbstractConnection) -> None:
        self._connection = connection
        self._channel: aio_pika.abc.AbstractChannel | None = None

    async def publish(self, key: str, body: bytes, user: str | None = None, **headers: Any) -> None:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel(on_return_raises=True)
        exchange = await self._channel.get_exchange(COMMANDS, ensure=False)
        await exchange.publish(aio_pika.Message(body, headers=headers, user_id=user), key)

    async def passes(self, key: str, body: bytes, user: str | None = None, **headers: Any) -> bool:
        """Publish; RabbitMQ 4 looks at the keys in CC and BCC by itself, and refuses what the user may not publish."""
        try:
            await self.publish(key, body, user, **headers)
        except aio_pika.exceptions.ChannelClosed:
            return False
        return True


def command(contract: type[Any], tenant: str, **changes: Any) -> bytes:
    values = {"addresses": ["a@example.com"], "time": MOMENT, "by": "ann", "contact": "c-1"} | changes
    data = contract.model_validate(values)
    return encode([event(data, id=ids.of_content(contract.TYPE, tenant), source="/returpost/actions", tenant=tenant)])[
        0
    ]


@pytest.fixture
async def installation(backing: Any, vhost: str) -> AsyncIterator[Installation]:
    url = urlunsplit(urlsplit(backing.amqp_url)._replace(path=f"/{vhost}"))
    urls = await anyio.to_thread.run_sync(lambda: apply(url, backing.management_url, SENDERS, PASSWORDS, CRMS))
    async with Installation(urls | {"admin": url}).running() as made:
        yield made


async def dead(installation: Installation, number: int) -> list[dict[str, Any]]:
    """Wait for dead letters; return their headers."""
    async with await aio_pika.connect(installation.urls["admin"]) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(DEAD_LETTERS)
        found: list[dict[str, Any]] = []

        async def look() -> int:
            while (message := await queue.get(fail=False, no_ack=True)) is not None:
                found.append(dict(message.headers))
            return len(found)

        await eventually(look, lambda seen: seen >= number)
        return found


async def test_no_header_brings_a_command_past_the_permissions(installation: Installation) -> None:
    """With a key of its own, and CC or BCC with that of any command of any service, for each tenant."""
    victims = [
        (queue.name, binding.key.removesuffix(".*.*").removesuffix(".*").removesuffix(".#"))
        for queue in topology.queues(())
        for binding in queue.bindings
        if binding.exchange == COMMANDS
    ]
    assert {queue for queue, _ in victims} >= installation.queues.keys()
    expected: Counter[str] = Counter()
    for name, own in KEYS.items():
        async with installation.as_user(name) as attacker:
            for (queue, verb), tenant, header in product(victims, ("acme", "beta"), ("CC", "BCC")):
                if queue not in installation.queues:
                    continue  # not read without a database for raw messages
                suffix = ".news" if verb in WITH_SENDER else ""
                key = f"{verb}.{tenant}{suffix}"
                if not await attacker.passes(own, command(AddressErase, tenant), name, **{header: [key]}):
                    continue
                expected[queue] += 1
                own_queue = {"delivery": "ingest.delivery-result", "contact": "actions.contact-upsert"}[
                    own.split(".")[0]
                ]
                expected[own_queue] += own_queue != queue  # where it went by its own key: it is no such event either
    found = await dead(installation, expected.total())
    assert Counter(headers["x-returpost-queue"] for headers in found) == expected
    assert {headers["x-returpost-routing-key"] for headers in found} == set(KEYS.values())
    assert {headers["x-returpost-user"] for headers in found} == set(KEYS)
    assert installation.taken == []


async def test_a_command_is_its_keys_and_its_publishers(installation: Installation) -> None:
    async with installation.as_user("crm-acme-crm") as crm:
        await crm.publish("block.set.acme", command(BlockSet, "beta"), "crm-acme-crm")  # another tenant in the body
        await crm.publish("block.set.acme", command(AddressErase, "acme"), "crm-acme-crm")  # another command
        await crm.publish("block.set.acme", command(BlockSet, "acme"))  # by whom?
        with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed):
            await crm.publish("block.set.acme", command(BlockSet, "acme"), "crm-crm")  # RabbitMQ checks the property
    async with installation.as_user("crm-acme-crm") as crm:
        await crm.publish("block.set.acme", command(BlockSet, "acme", by="the administrator"), "crm-acme-crm")
        await crm.publish("contact.upsert.acme", command(ContactUpsert, "acme"), "crm-acme-crm")
    found = await dead(installation, 3)
    errors = [headers["x-returpost-error"] for headers in found]
    assert len(found) == 3
    assert "block.set.beta" in errors[0]
    assert "expected returpost.block.set.v1" in errors[1]
    assert errors[2].startswith("user_id: missing")

    async def taken() -> int:
        return len(installation.taken)

    await eventually(taken, lambda seen: seen == 2)
    block, contact = sorted(installation.taken, key=lambda one: one.type)
    assert (block.data.by, contact.source) == ("crm-acme-crm", "/users/crm-acme-crm")


async def test_a_service_speaks_for_whom_it_has_authenticated(installation: Installation) -> None:
    async with await aio_pika.connect(installation.urls["returpost-actions"]) as connection:
        publisher = Publisher(await connection.channel(on_return_raises=True))
        await publisher.publish([Message(COMMANDS, "block.set.acme", command(BlockSet, "acme", by="ann"), "")])

    async def taken() -> list[str]:
        return [one.data.by for one in installation.taken]

    assert await eventually(taken) == ["ann"]


async def test_the_client_obeys_no_forged_retry(installation: Installation) -> None:
    """A sender obeys the classifier alone, whatever another client routes into its queue."""
    obeyed: list[Event[RetryRequested]] = []

    async def obey(one: Event[RetryRequested]) -> None:
        obeyed.append(one)

    def retry(tenant: str) -> bytes:
        return encode([event(RETRY, id=tenant, source="/returpost/classifier", tenant=tenant)])[0]

    async with installation.as_user("crm-acme-crm") as crm:
        for header, tenant in product(("CC", "BCC"), ("acme", "beta")):
            await crm.passes(KEYS["crm-acme-crm"], retry(tenant), None, **{header: [f"retry.requested.{tenant}.news"]})
    following = asyncio.create_task(RetryConsumer(installation.urls["sender-news"], "news").follow(obey))
    async with await aio_pika.connect(installation.urls["returpost-classifier"]) as connection:
        publisher = Publisher(await connection.channel(on_return_raises=True))
        key = routing_key(RETRY.TYPE, "beta", "news")
        await publisher.publish([Message(COMMANDS, key, retry("beta"), "")])

    async def seen() -> int:
        return len(obeyed)

    try:
        await eventually(seen)  # queues are in order: the forged ones came before
        assert [one.tenant for one in obeyed] == ["beta"]
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
