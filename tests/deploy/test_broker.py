"""The topology and the users' rights, at a real broker."""

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

from deploy.broker import Streams, apply, states, users, vhost_of
from deploy.generate.documents import _wired
from returpost.contracts import routing
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.messaging import topology
from shared.service import CONSUMER_EVENTS

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
        await channel.declare_queue("blocklist.block-set", durable=True, arguments={"x-queue-type": "quorum"})
    with pytest.raises(ReturpostError, match=r"blocklist\.block-set.*other properties.*delete it"):
        await anyio.to_thread.run_sync(lambda: apply(amqp_url, None, SENDERS))


async def test_a_stream_with_other_properties_is_declared_anew_when_that_is_said(backing: Any, amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(routing.BLOCKS, durable=True, arguments={"x-queue-type": "stream"})
    with pytest.raises(ReturpostError, match=r"returpost\.blocks.*--recreate-streams"):
        await anyio.to_thread.run_sync(lambda: apply(amqp_url, None, SENDERS))
    for _ in range(2):
        await anyio.to_thread.run_sync(lambda: apply(amqp_url, None, SENDERS, streams=Streams(7, recreate=True)))
    with pytest.raises(ReturpostError, match="other properties"):  # it is there for seven days now
        await anyio.to_thread.run_sync(lambda: apply(amqp_url, None, SENDERS))


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
        (InvalidSettings, "begins with amqp", {"scheme": "http"}),
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
