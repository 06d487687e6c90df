"""Three RabbitMQ nodes, a way to each that can be cut: losing one loses nothing, and stops nobody for long."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import anyio.to_thread
import httpx
import pytest

from deploy.local.cluster import Cluster
from deploy.local.debian_archive import unpack
from deploy.local.install import install
from deploy.local.rabbitmq import RabbitNode
from deploy.rabbitmq.broker import Declaration, apply, users
from returpost.amqp.publisher import Message
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import COMMANDS
from returpost.errors import Unavailable
from shared.messaging.broker import Broker, BrokerPublisher
from shared.messaging.topology import queues
from tests.support.harness import eventually
from tests.support.proxy import Proxy, proxy

pytestmark = [pytest.mark.anyio, pytest.mark.services, pytest.mark.timeout(300)]

QUEUE = "ingest.delivery-result"
SENDERS: dict[str, tuple[str, ...]] = {"news": ()}
PASSWORDS = {user.name: "a-password" for user in users(SENDERS)}
MAX_REFUSED = 10.0
"""Seconds in which no publish is confirmed, when a node is lost."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes of RabbitMQ 4, or of what is installed where that is not to be had."""
    try:
        binaries = unpack()
    except Unavailable:
        binaries = install()
    with Cluster(tmp_path_factory.mktemp("cluster"), binaries).running() as running:
        yield running


class Sender:
    """Publishes one message after another, and remembers which were confirmed and when."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.confirmed: list[str] = []
        self.longest = 0.0

    async def run(self) -> None:
        async with Broker(self._url, "test").running() as broker:
            publisher = BrokerPublisher(broker.publishing)
            last = time.monotonic()
            while True:
                body = uuid4().hex
                message = Message(COMMANDS, "delivery.result.acme.news", body.encode(), BATCHED)
                try:
                    async with asyncio.timeout(1):  # what hangs is tried again, with the same content
                        await publisher.publish([message])
                except (Unavailable, TimeoutError):
                    self.longest = max(self.longest, time.monotonic() - last)
                    continue
                now = time.monotonic()
                self.longest, last = max(self.longest, now - last), now
                self.confirmed.append(body)

    async def confirms(self, more: int) -> None:
        """Wait until so many more are confirmed."""
        wanted = len(self.confirmed) + more

        async def seen() -> int:
            return len(self.confirmed)

        await eventually(seen, lambda count: count >= wanted)


@pytest.fixture
async def proxies(cluster: Cluster) -> AsyncIterator[dict[str, Proxy]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(proxy(node.amqp_url)) for name, node in cluster.nodes.items()}


async def test_losing_a_node_stops_nobody_and_loses_nothing(cluster: Cluster, proxies: dict[str, Proxy]) -> None:
    first = next(iter(cluster.nodes.values()))
    made = await anyio.to_thread.run_sync(
        lambda: apply(first.amqp_url, first.management_url, SENDERS, PASSWORDS, how=Declaration(group_size=3))
    )
    spread = Counter(await _leaders(first))
    assert len(spread) == 3, "each node leads some queues"
    assert max(spread.values()) <= 2 * min(spread.values())

    hosts = ",".join(urlsplit(one.url).netloc.rpartition("@")[2] for one in proxies.values())
    own = urlsplit(made["sender-news"])
    sender = Sender(own._replace(netloc=f"{own.username}:{own.password}@{hosts}").geturl())
    publishing = asyncio.create_task(sender.run())
    try:
        await sender.confirms(50)
        leader = await _leader(first, QUEUE)
        other = next(node for name, node in cluster.nodes.items() if name != leader)
        await asyncio.to_thread(cluster.nodes[leader].kill)
        await sender.confirms(50)
        await eventually(partial(_leader, other, QUEUE), lambda name: name != leader)
        await asyncio.to_thread(cluster.nodes[leader].start)
        await sender.confirms(50)
        for way in proxies.values():  # cut from each node in turn, the nodes among themselves are well
            await way.cut()
            await sender.confirms(20)
            await way.mend()
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    assert sender.longest < MAX_REFUSED
    kept = await _take_all(other.amqp_url)
    assert set(sender.confirmed) <= kept, "what was confirmed is there"
    await anyio.to_thread.run_sync(lambda: apply(other.amqp_url, other.management_url, SENDERS, PASSWORDS))


async def _leaders(node: RabbitNode) -> list[str]:
    names = {queue.name for queue in queues(SENDERS)}

    async def look() -> list[str]:
        found = await _ask(node, "queues")
        return [one.get("leader") or one["node"] for one in found if one["name"] in names]

    return await eventually(look, lambda found: len(found) == len(names))


async def _leader(node: RabbitNode, name: str) -> str:
    found = await _ask(node, f"queues/%2F/{name}")
    return str(found.get("leader") or found["node"])


async def _ask(node: RabbitNode, path: str) -> Any:
    async with httpx.AsyncClient(timeout=30) as http:
        return (await http.get(f"{node.management_url}/api/{path}")).raise_for_status().json()


async def _take_all(url: str) -> set[str]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(QUEUE, ensure=False)
        found = set()
        while (message := await queue.get(fail=False)) is not None:
            found.add(message.body.decode())
            await message.ack()
        return found
