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
from aiormq.exceptions import ChannelAccessRefused

from deploy.broker import Streams, apply, states, users, vhost_of
from returpost.contracts import routing
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.messaging import topology

pytestmark = [pytest.mark.anyio, pytest.mark.services]

SENDERS = ("default", "news")
CRMS = ("crm",)
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
        lambda: apply(amqp_url, backing.management_url, (*SENDERS, "more"), passwords, CRMS)
    )
    assert more.items() >= urls.items()
    found = {state.name: state for state in await anyio.to_thread.run_sync(states, amqp_url, (*SENDERS, "more"))}
    assert found["sender.more.retry-requested"].exists
    assert found["ingest.delivery-result"].waiting == 1


@pytest.mark.parametrize(
    ("user", "exchange", "key"),
    [
        ("sender-default", routing.COMMANDS, "delivery.result.acme.default"),
        ("sender-default", routing.COMMANDS, "contact.upsert.acme"),
        ("returpost-ingest", routing.EVENTS, "delivery.recorded.acme.delivered"),
        ("returpost-ingest", routing.DEAD, ""),
        ("returpost-classifier", routing.COMMANDS, "retry.requested.acme.default"),
        ("returpost-blocklist", routing.EVENTS, "address.blocked.acme"),
        ("returpost-actions", routing.COMMANDS, "block.clear.acme"),
        ("returpost-replay", routing.REPLAY, "ingest.delivery-result"),
        ("crm-crm", routing.COMMANDS, "contact.upsert.acme"),
        ("crm-crm", routing.COMMANDS, "selection.upsert.acme"),
        ("sender-default", routing.COMMANDS, "mailing.upsert.acme"),
    ],
)
async def test_users_may_publish_what_is_theirs(urls: dict[str, str], user: str, exchange: str, key: str) -> None:
    await _publish(urls[user], exchange, key)


@pytest.mark.parametrize(
    ("user", "exchange", "key"),
    [
        ("sender-default", routing.COMMANDS, "delivery.result.acme.news"),
        ("sender-default", routing.COMMANDS, "block.set.acme"),
        ("sender-default", routing.EVENTS, "delivery.recorded.acme.delivered"),
        ("sender-default", routing.REPLAY, "ingest.delivery-result"),
        ("returpost-ingest", routing.EVENTS, "bounce.classified.acme"),
        ("returpost-ingest", routing.COMMANDS, "block.set.acme"),
        ("returpost-classifier", routing.COMMANDS, "block.set.acme"),
        ("returpost-replay", routing.EVENTS, "address.blocked.acme"),
        ("crm-crm", routing.COMMANDS, "delivery.result.acme.default"),
    ],
)
async def test_users_may_not_publish_what_is_not_theirs(
    urls: dict[str, str], user: str, exchange: str, key: str
) -> None:
    with pytest.raises(ChannelAccessRefused):
        await _publish(urls[user], exchange, key)


@pytest.mark.parametrize("user", [user.name for user in users(SENDERS, CRMS)])
async def test_users_read_their_own_queues_alone_and_declare_nothing(urls: dict[str, str], user: str) -> None:
    async with await aio_pika.connect(urls[user]) as connection:
        for queue in topology.queues(SENDERS):
            if queue.arguments["x-queue-type"] == "stream":
                continue
            mine = queue.name.startswith(_own_prefix(user))
            assert await _refused(connection, partial(_get, name=queue.name)) is not mine
        assert await _refused(connection, lambda channel: channel.declare_queue(f"own-{uuid4().hex}"))
        assert await _refused(connection, lambda channel: channel.declare_exchange("own", "topic"))


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


async def _get(channel: Any, name: str) -> None:
    queue = await channel.get_queue(name, ensure=False)
    if message := await queue.get(fail=False, no_ack=False):
        await message.nack(requeue=True)


async def _refused(connection: Any, step: Callable[[Any], Awaitable[Any]]) -> bool:
    """Tell whether the broker refuses; every refusal costs a channel."""
    channel = await connection.channel()
    try:
        await step(channel)
    except ChannelClosed:
        return True
    await channel.close()
    return False
