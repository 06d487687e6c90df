"""The topology and the users' rights, at a real broker."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import aio_pika
import anyio.to_thread
import httpx
import pytest
from aio_pika.exceptions import ChannelClosed

from deploy.generate.documents import _wired
from deploy.rabbitmq.broker import Declaration, apply, states, users
from deploy.rabbitmq.management import vhost_of
from returpost.contracts import routing
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.messaging import topology
from shared.service import CONSUMER_EVENTS
from tests.support.harness import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SENDERS: topology.Tenants = {"default": (), "news": (), "acme-mail": ("acme",)}
CRMS: topology.Tenants = {"crm": (), "acme-crm": ("acme",)}
PASSWORDS = {user.name: f"p@/:{user.name}" for user in users(SENDERS, CRMS)}


@pytest.fixture
def amqp_url(backing: Any, vhost: str) -> str:
    return str(urlunsplit(urlsplit(backing.amqp_url)._replace(path=f"/{vhost}")))


@pytest.fixture
def urls(backing: Any, amqp_url: str) -> dict[str, str]:
    """The URL of each user, the topology being applied."""
    return apply(amqp_url, backing.management_url, SENDERS, PASSWORDS, CRMS)


async def test_everything_of_the_topology_is_there(urls: dict[str, str], amqp_url: str) -> None:
    found = await anyio.to_thread.run_sync(states, amqp_url, SENDERS)
    assert {state.name for state in found if state.exists} == {queue.name for queue in topology.queues(SENDERS)}


async def test_repeating_and_adding_a_sender_keeps_what_is_there(
    urls: dict[str, str], backing: Any, amqp_url: str
) -> None:
    await _publish(urls["sender-default"], routing.COMMANDS, "delivery.result.acme.default")
    passwords = PASSWORDS | {"sender-more": "x"}
    more = await anyio.to_thread.run_sync(
        lambda: apply(amqp_url, backing.management_url, {**SENDERS, "more": ()}, passwords, CRMS)
    )
    assert more.items() >= urls.items()
    found = {state.name: state for state in await anyio.to_thread.run_sync(states, amqp_url, (*SENDERS, "more"))}
    assert found["sender.more.retry-requested"].exists
    assert found["ingest.delivery-result"].waiting == 1


UPSERTS = {f"{noun}.upsert" for noun in ("contact", "selection", "project", "mailing")}
QUESTIONS = {"address.validate", "address.check"}
SUBSCRIBED = {"subscription.confirmed"}
ORDERS = {"address.correct", "block.set", "block.clear", "suppression.set", "suppression.lift", "operation.requested"}


def _publishes() -> dict[str, set[tuple[str, str]]]:
    """What each user may publish: services what they are wired to, others what the documentation says."""
    may = {f"returpost-{name}": _wired_to(name) for name in routing.SERVICES}
    may["returpost-replay"] = {(routing.REPLAY, "ingest.delivery-result")}
    for name in routing.SERVICES:
        may[f"returpost-{name}"] |= {
            (one.exchange, one.routing_key.format(tenant="returpost", cause="operator")) for one in CONSUMER_EVENTS
        }
    may["returpost-blocklist"].add(("", "anybody"))
    for sender, tenants in SENDERS.items():
        for tenant in tenants or TENANTS:
            own = {f"{noun}.{tenant}.{sender}" for noun in ("delivery.result", "kumomta.log")}
            own |= {f"{verb}.{tenant}" for verb in {"contact.upsert", "mailing.upsert"} | QUESTIONS | SUBSCRIBED}
            may.setdefault(f"sender-{sender}", set()).update((routing.COMMANDS, key) for key in own)
    for crm, tenants in CRMS.items():
        own = {
            f"{verb}.{tenant}" for verb in UPSERTS | QUESTIONS | SUBSCRIBED | ORDERS for tenant in tenants or TENANTS
        }
        may[f"crm-{crm}"] = {(routing.COMMANDS, key) for key in own}
    return may


def _wired_to(service: str) -> set[tuple[str, str]]:
    return {
        (one.exchange, one.routing_key.format(tenant=tenant, sender="news", result="sent"))
        for one in _wired(service)._published
        for tenant in TENANTS
    }


TENANTS = ("acme", "beta")
PUBLISHES = _publishes()
EVERYTHING = sorted(set().union(*PUBLISHES.values()))


async def test_each_user_publishes_its_own_and_nothing_else(urls: dict[str, str]) -> None:
    """Tried by every user with every key that any user has: in another's name, for another tenant, as a service."""
    assert PUBLISHES.keys() == urls.keys()
    for user, url in urls.items():
        async with await aio_pika.connect(url) as connection:
            refused = {one for one in EVERYTHING if await _refused(connection, partial(_publish_on, place=one))}
        assert set(EVERYTHING) - refused == PUBLISHES[user], user


async def test_each_user_reads_its_own_and_declares_nothing(urls: dict[str, str]) -> None:
    streams = {"returpost-blocklist": {routing.BLOCKS}, "returpost-replay": {routing.ARCHIVE}}
    streams |= {f"sender-{name}": {routing.BLOCKS} for name, tenants in SENDERS.items() if not tenants}
    streams |= {f"crm-{name}": {routing.BLOCKS, routing.CHANGES} for name, tenants in CRMS.items() if not tenants}
    for user, url in urls.items():
        own = {queue.name for queue in topology.queues(SENDERS) if queue.name.startswith(_own_prefix(user))}
        own |= streams.get(user, set()) | (
            {routing.REVOCATIONS, routing.CONSUMERS} if user.startswith("returpost-") else set()
        )
        async with await aio_pika.connect(url) as connection:
            read = {
                q.name for q in topology.queues(SENDERS) if not await _refused(connection, partial(_read, name=q.name))
            }
            assert read == own, user
            for step in (
                lambda channel: channel.declare_queue(f"own-{uuid4().hex}"),
                lambda channel: channel.declare_queue(exclusive=True),
                lambda channel: channel.declare_exchange("own", "topic"),
                lambda channel: channel.queue_delete("ingest.delivery-result"),
                lambda channel: _bind(channel, "ingest.delivery-result", routing.EVENTS),
                lambda channel: _bind(channel, "sender.news.retry-requested", routing.COMMANDS),
            ):
                assert await _refused(connection, step), user


async def test_an_entity_with_other_properties_is_named(backing: Any, amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("blocklist.block-set", durable=True, arguments=_QUORUM)  # no dead letters
    with pytest.raises(ReturpostError, match=r"blocklist\.block-set.*other properties.*delete it"):
        await anyio.to_thread.run_sync(lambda: apply(amqp_url, None, SENDERS))


_QUORUM: dict[str, Any] = {"x-queue-type": "quorum"}
_WORK = _QUORUM | {
    "x-delivery-limit": 50,
    "x-dead-letter-exchange": "returpost.dead",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
_STREAM: dict[str, Any] = {"x-queue-type": "stream", "x-max-age": "30D"}
OLDER: dict[str, dict[str, Any]] = {
    "ingest.delivery-result": _WORK,
    "sender.default.retry-requested": _WORK,
    "replay.dead-letters": _QUORUM,
    "returpost.archive": _STREAM
    | {"x-max-length-bytes": 20_000_000_000, "x-stream-max-segment-size-bytes": 100_000_000},
    "returpost.blocks": _STREAM | {"x-max-length-bytes": 5_000_000_000, "x-stream-max-segment-size-bytes": 10_000_000},
    "returpost.changes": {"x-queue-type": "stream"},
}
"""As versions declared them that knew no policies."""


async def _older(amqp_url: str) -> None:
    """Declare some queues as they were, and put a message into each."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        for name, arguments in OLDER.items():
            await channel.declare_queue(name, durable=True, arguments=arguments)
            await channel.default_exchange.publish(aio_pika.Message(b"{}"), name)


@pytest.mark.parametrize("managed", [True, False])
async def test_an_older_installation_keeps_all_its_messages(backing: Any, amqp_url: str, managed: bool) -> None:
    await _older(amqp_url)
    management = backing.management_url if managed else None
    said: list[str] = []
    how = Declaration(stream_days=60, say=said.append)
    for _ in range(2):
        await anyio.to_thread.run_sync(lambda: apply(amqp_url, management, SENDERS, PASSWORDS, CRMS, how))
    found = {state.name: state for state in await anyio.to_thread.run_sync(states, amqp_url, SENDERS)}
    assert all(state.exists for state in found.values())
    async with await aio_pika.connect(amqp_url) as connection:
        for name, arguments in OLDER.items():
            assert await _first(connection, name, arguments["x-queue-type"] == "stream") == b"{}"
    assert said == 2 * [f"returpost.{name} was declared with x-max-age=30D, which still holds" for name in STREAMS]


STREAMS = ("archive", "blocks")


async def test_a_changed_age_holds_without_declaring_anew(backing: Any, amqp_url: str) -> None:
    async def effective(name: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=backing.management_url) as http:
            path = f"/api/queues/{vhost_of(amqp_url)}/{name}"
            answer = (await http.get(path)).raise_for_status().json()
            return dict(answer.get("effective_policy_definition") or {})

    for days in (30, 7):
        declare = partial(apply, amqp_url, backing.management_url, SENDERS, PASSWORDS, CRMS, Declaration(days))
        await anyio.to_thread.run_sync(declare)
        ages = {f"{days}D"}
        await eventually(partial(effective, routing.ARCHIVE), lambda found: found.get("max-age") in ages)  # noqa: B023
    assert (await effective(routing.REVOCATIONS))["max-age"] == "7D"
    assert (await effective("ingest.delivery-result"))["delivery-limit"] == topology.DELIVERY_LIMIT
    assert (await effective("sender.news.retry-requested"))["queue-leader-locator"] == "balanced"


async def test_the_group_size_is_for_new_queues(backing: Any, amqp_url: str) -> None:
    def declare(size: int) -> None:
        apply(amqp_url, backing.management_url, SENDERS, PASSWORDS, CRMS, Declaration(group_size=size))

    await anyio.to_thread.run_sync(declare, 1)
    await anyio.to_thread.run_sync(declare, 3)
    async with httpx.AsyncClient(base_url=backing.management_url) as http:
        found = (await http.get(f"/api/queues/{vhost_of(amqp_url)}")).raise_for_status().json()
    sizes = {
        one["arguments"].get("x-quorum-initial-group-size", one["arguments"].get("x-initial-cluster-size"))
        for one in found
    }
    assert sizes == {1}


@pytest.mark.parametrize("managed", [True, False])
async def test_a_dead_letter_is_given_out_any_number_of_times(backing: Any, amqp_url: str, managed: bool) -> None:
    """RabbitMQ 4 drops a message after 20 deliveries where no limit is named, and here is nowhere to drop it to."""
    management = backing.management_url if managed else None
    await anyio.to_thread.run_sync(lambda: apply(amqp_url, management, SENDERS, PASSWORDS, CRMS))
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), routing.DEAD_LETTERS)
        queue = await channel.get_queue(routing.DEAD_LETTERS, ensure=False)
        seen = asyncio.Queue[aio_pika.abc.AbstractIncomingMessage]()
        await queue.consume(seen.put)
        for _ in range(30):
            async with asyncio.timeout(30):
                await (await seen.get()).nack(requeue=True)


async def test_a_stream_is_declared_anew_when_that_is_said(backing: Any, amqp_url: str) -> None:
    await _older(amqp_url)
    for _ in range(2):
        await anyio.to_thread.run_sync(
            lambda: apply(amqp_url, None, SENDERS, how=Declaration(7, recreate_streams=True))
        )
    found = {state.name: state.waiting for state in await anyio.to_thread.run_sync(states, amqp_url, SENDERS)}
    assert found[routing.BLOCKS] == 0
    assert found["ingest.delivery-result"] == 1


def test_each_queue_is_in_one_policy() -> None:
    policies = topology.policies()
    for queue in topology.queues(SENDERS):
        assert [one.name for one in policies if re.search(one.pattern, queue.name)] == [
            topology.policy_of(queue.name, policies).name
        ]
        assert not queue.arguments.keys() & topology.policy_of(queue.name, policies).arguments().keys()


async def test_without_the_management_api_all_share_one_user(amqp_url: str) -> None:
    made = await anyio.to_thread.run_sync(lambda: apply(amqp_url, None, SENDERS))
    assert made == {user.name: amqp_url for user in users(SENDERS)}


async def test_a_virtual_host_that_is_not_there_is_made(backing: Any) -> None:
    name = f"made/{uuid4().hex[:8]}"
    url = urlunsplit(urlsplit(backing.amqp_url)._replace(path=f"/{quote(name, safe='')}"))
    with pytest.raises(InvalidSettings, match="no virtual host"):
        await anyio.to_thread.run_sync(lambda: apply(url, None))
    async with httpx.AsyncClient(base_url=backing.management_url) as http:
        try:
            made = await anyio.to_thread.run_sync(lambda: apply(url, backing.management_url, SENDERS, PASSWORDS, CRMS))
            await _publish(made["returpost-ingest"], routing.EVENTS, "delivery.recorded.acme.delivered")
        finally:
            await http.delete(f"/api/vhosts/{quote(name, safe='')}")


@pytest.mark.parametrize(
    ("error", "words", "change"),
    [
        (InvalidSettings, "refuses the user", {"netloc": "nobody:wrong@{host}"}),
        (Unavailable, "does not answer", {"netloc": "guest:guest@127.0.0.1:1"}),
        (InvalidSettings, "begin with amqp", {"scheme": "http"}),
    ],
)
async def test_a_wrong_url_is_explained(
    amqp_url: str, error: type[Exception], words: str, change: dict[str, str]
) -> None:
    parts = urlsplit(amqp_url)
    filled = {name: value.format(host=parts.netloc.rpartition("@")[2]) for name, value in change.items()}
    with pytest.raises(error, match=words):
        await anyio.to_thread.run_sync(lambda: apply(urlunsplit(parts._replace(**filled)), None))


async def test_a_missing_password_is_named(amqp_url: str, backing: Any) -> None:
    given = {name: word for name, word in PASSWORDS.items() if name != "sender-news"}
    with pytest.raises(InvalidSettings, match="sender-news"):
        await anyio.to_thread.run_sync(lambda: apply(amqp_url, backing.management_url, SENDERS, given, CRMS))


@pytest.mark.parametrize(
    ("url", "vhost"),
    [
        ("amqp://h", "/"),
        ("amqp://h/", "/"),
        ("amqp://h/%2F", "/"),
        ("amqp://u:p@h:1/a%2Fb", "a/b"),
        ("amqp://h/x", "x"),
    ],
)
def test_the_virtual_host_of_a_url(url: str, vhost: str) -> None:
    assert vhost_of(url) == vhost


def _own_prefix(user: str) -> str:
    kind, _, name = user.partition("-")
    return f"sender.{name}." if kind == "sender" else f"{name}."


async def _publish(url: str, exchange: str, key: str) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        target = await channel.get_exchange(exchange, ensure=False)
        await target.publish(aio_pika.Message(b"{}"), key, mandatory=False)


async def _publish_on(channel: Any, place: tuple[str, str]) -> None:
    target = await channel.get_exchange(place[0], ensure=False) if place[0] else channel.default_exchange
    await target.publish(aio_pika.Message(b"{}"), place[1], mandatory=False)


async def _read(channel: Any, name: str) -> None:
    await channel.set_qos(1)
    queue = await channel.get_queue(name, ensure=False)
    await queue.cancel(await queue.consume(_ignore))


async def _ignore(_: Any) -> None:
    """Leave it: it goes back with the channel."""


async def _first(connection: Any, name: str, is_stream: bool) -> bytes:
    """Return the first message of a queue."""
    channel = await connection.channel()
    await channel.set_qos(1)
    queue = await channel.get_queue(name, ensure=False)
    seen = asyncio.Queue[Any]()
    await queue.consume(seen.put, arguments={"x-stream-offset": "first"} if is_stream else None)
    async with asyncio.timeout(30):
        body: bytes = (await seen.get()).body
    await channel.close()
    return body


async def _bind(channel: Any, queue: str, exchange: str) -> None:
    await (await channel.get_queue(queue, ensure=False)).bind(exchange, "#")


async def _refused(connection: Any, step: Callable[[Any], Awaitable[Any]]) -> bool:
    """Tell whether the broker refuses; every refusal costs a channel."""
    channel = await connection.channel()
    try:
        await step(channel)
    except ChannelClosed:
        return True
    await channel.close()
    return False
