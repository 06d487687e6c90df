"""RabbitMQ: declare the topology and the users at a broker (`returpost topology apply`), and see what is there."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aio_pika
import httpx
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ProbableAuthenticationError,
)
from aiormq.exceptions import InvalidFrameError

from returpost.amqp.connections import CONNECT_TIMEOUT
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.messaging import topology

DECLARE_TIMEOUT = 60.0
"""Seconds for one declaration: a quorum queue holds an election first."""
DECLARE_AGAIN = 0.5
STREAM_ADVICE = (
    "`returpost topology apply --recreate-streams` (where `returpost up` starts the broker, "
    "`returpost up --recreate-streams`) deletes it and declares it anew. The events that it keeps are lost to replay, "
    "and to readers that have not had them yet; addresses, blocks, counts and history are in the database and stay, "
    "mirrors take a new snapshot, and webhooks go on with what comes"
)
HTTP_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue of the topology as it is at the broker."""

    name: str
    exists: bool
    waiting: int = 0
    """Messages that nobody has been given yet."""
    consumers: int = 0


@dataclass(frozen=True, slots=True)
class Streams:
    """How streams are declared."""

    days: int = topology.STREAM_DAYS
    """For how long they keep events."""
    recreate: bool = False
    """Delete those that are there with other properties, with all that they keep, and declare them anew."""


AS_USUAL = Streams()
DEFAULT: topology.Tenants = {"default": ()}
NONE: topology.Tenants = {}


class _NotReady(Unavailable):
    """The broker answers, but not yet all of its queues."""


def users(senders: topology.Tenants = DEFAULT, crms: topology.Tenants = NONE) -> tuple[topology.User, ...]:
    """Every user of the topology: the services', the senders' and the CRMs'."""
    return (
        *topology.service_users(),
        *(topology.sender_user(name, tenants) for name, tenants in senders.items()),
        *(topology.crm_user(name, tenants) for name, tenants in crms.items()),
    )


def apply(
    amqp_url: str,
    management_url: str | None,
    senders: topology.Tenants = DEFAULT,
    passwords: Mapping[str, str] | None = None,
    crms: topology.Tenants = NONE,
    streams: Streams = AS_USUAL,
) -> dict[str, str]:
    """Declare the topology and its users, and return the AMQP URL that each user connects with.

    `passwords` has one for each user, by name. Users need the management API (`http://host:15672`, with the user of the
    AMQP URL unless it names its own), which also makes the virtual host; without it (`None`) all share the given URL.
    Safe to repeat; nothing is removed, unless `streams` says so. Not for use inside an event loop: call it in a thread
    there. Raises `InvalidSettings` when a URL, a user or a password is wrong, `Unavailable` when the broker does not
    answer, `ReturpostError` when a queue or an exchange is there with other properties.
    """
    return asyncio.run(_apply(amqp_url, management_url, tuple(senders), passwords or {}, users(senders, crms), streams))


def states(amqp_url: str, senders: Iterable[str] = DEFAULT) -> list[QueueState]:
    """Return how each queue of the topology is. Not for use inside an event loop. Raises as `apply` does."""
    return asyncio.run(_states(amqp_url, tuple(senders)))


async def _apply(
    amqp_url: str,
    management_url: str | None,
    senders: Iterable[str],
    passwords: Mapping[str, str],
    wanted: Sequence[topology.User],
    streams: Streams,
) -> dict[str, str]:
    if management_url is None:
        await _declare(amqp_url, senders, streams)
        return {user.name: amqp_url for user in wanted}
    missing = [user.name for user in wanted if not passwords.get(user.name)]
    if missing:
        raise InvalidSettings(f"no broker password for {', '.join(missing)}")
    async with _Management(management_url, amqp_url) as management:
        await management.make_vhost()
        await _declare(amqp_url, senders, streams)
        for user in wanted:
            await management.make_user(user, passwords[user.name])
    return {user.name: _with_user(amqp_url, user.name, passwords[user.name]) for user in wanted}


async def _declare(amqp_url: str, senders: Iterable[str], streams: Streams) -> None:
    """Declare all; a queue whose node is still starting is waited for."""
    deadline = time.monotonic() + DECLARE_TIMEOUT
    while True:
        try:
            return await _declare_once(amqp_url, senders, streams)
        except _NotReady:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(DECLARE_AGAIN)


async def _declare_once(amqp_url: str, senders: Iterable[str], streams: Streams) -> None:
    connection = await _connect(amqp_url)
    async with connection:
        if streams.recreate:
            for queue in topology.queues(senders, streams.days):
                if queue.arguments["x-queue-type"] == "stream" and await _is_other(connection, queue):
                    await _delete(connection, queue.name)
        await _declare_all(connection, senders, streams)


async def _is_other(connection: AbstractConnection, queue: topology.Queue) -> bool:
    """Say whether the queue is there with other properties."""
    try:
        async with connection.channel() as channel:
            await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments, timeout=DECLARE_TIMEOUT)
    except ChannelPreconditionFailed:
        return True
    except ChannelClosed:  # whatever else is wrong with it is said when all are declared
        return False
    return False


async def _delete(connection: AbstractConnection, name: str) -> None:
    async with connection.channel() as channel:
        await channel.queue_delete(name, timeout=DECLARE_TIMEOUT)


async def _declare_all(connection: AbstractConnection, senders: Iterable[str], streams: Streams) -> None:
    async with connection.channel() as channel:
        name, kind = "", ""
        try:
            for exchange in topology.EXCHANGES:
                name = exchange.name
                await channel.declare_exchange(name, exchange.type, durable=True, timeout=DECLARE_TIMEOUT)
            for queue in topology.queues(senders, streams.days):
                name, kind = queue.name, queue.arguments["x-queue-type"]
                declared = await channel.declare_queue(
                    name, durable=True, arguments=queue.arguments, timeout=DECLARE_TIMEOUT
                )
                for binding in queue.bindings:
                    await declared.bind(binding.exchange, binding.key, timeout=DECLARE_TIMEOUT)
        except ChannelPreconditionFailed as error:
            raise ReturpostError(
                f"{name} is at the broker with other properties than Returpost's: {error}; "
                + (STREAM_ADVICE if kind == "stream" else "empty and delete it, then apply the topology again")
            ) from None
        except ChannelNotFoundEntity as error:  # after a restart the broker answers before all of its queues do
            raise _NotReady(f"{name} is not ready at the broker: {error}") from None
        except ChannelClosed as error:
            raise InvalidSettings(f"the broker's user may not declare {name}: {error}") from None
        except (AMQPError, OSError, TimeoutError) as error:
            raise Unavailable(f"RabbitMQ went away while {name} was declared: {_say(error)}") from None


async def _states(amqp_url: str, senders: Iterable[str]) -> list[QueueState]:
    found: list[QueueState] = []
    connection = await _connect(amqp_url)
    async with connection:
        for queue in topology.queues(senders):
            async with connection.channel() as channel:
                try:
                    declared = await channel.declare_queue(queue.name, passive=True, timeout=DECLARE_TIMEOUT)
                    result = declared.declaration_result
                    state = QueueState(queue.name, True, result.message_count or 0, result.consumer_count or 0)
                except ChannelClosed:
                    state = QueueState(queue.name, False)
                except (AMQPError, OSError, TimeoutError) as error:
                    raise Unavailable(f"RabbitMQ went away: {_say(error)}") from None
            found.append(state)
    return found


async def _connect(amqp_url: str) -> AbstractConnection:
    parts = urlsplit(amqp_url)
    if parts.scheme not in ("amqp", "amqps"):
        raise InvalidSettings("RETURPOST_AMQP_URL: it begins with amqp:// or amqps://")
    try:
        return await aio_pika.connect(amqp_url, timeout=CONNECT_TIMEOUT)
    except (AuthenticationError, ProbableAuthenticationError):
        raise InvalidSettings("RETURPOST_AMQP_URL: the broker refuses the user or the password") from None
    except (
        InvalidFrameError
    ):  # the broker closes instead of opening: it does not know the virtual host, or this user in it
        vhost = vhost_of(amqp_url)
        raise InvalidSettings(
            f"RETURPOST_AMQP_URL: the broker has no virtual host {vhost!r} for this user; "
            "with the management URL it is made"
        ) from None
    except (AMQPError, OSError, TimeoutError) as error:
        place = f"{parts.hostname}:{parts.port or 5672}"
        raise Unavailable(f"RabbitMQ does not answer at {place}: {_say(error)}") from None


class _Management:
    """The management HTTP API (https://www.rabbitmq.com/docs/http-api-reference)."""

    def __init__(self, url: str, amqp_url: str) -> None:
        parts, amqp = urlsplit(url), urlsplit(amqp_url)
        if parts.scheme not in ("http", "https"):
            raise InvalidSettings("RETURPOST_AMQP_MANAGEMENT_URL: it begins with http:// or https://")
        login = parts if parts.username else amqp
        credentials = f"{unquote(login.username or 'guest')}:{unquote(login.password or 'guest')}"
        self._headers = {"Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}
        self._base = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self._vhost = quote(vhost_of(amqp_url), safe="")
        self._own_name = unquote(amqp.username or "guest")
        self._http: httpx.AsyncClient

    async def __aenter__(self) -> "_Management":
        self._http = httpx.AsyncClient(headers=self._headers, timeout=HTTP_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def make_vhost(self) -> None:
        """Make the virtual host when it is not there; the user of the AMQP URL gets all rights in it."""
        if await self._call("GET", f"vhosts/{self._vhost}", allow=404) == 404:
            await self._call("PUT", f"vhosts/{self._vhost}", {})
            rights = {"configure": ".*", "write": ".*", "read": ".*"}
            await self._call("PUT", f"permissions/{self._vhost}/{quote(self._own_name, safe='')}", rights)

    async def make_user(self, user: topology.User, password: str) -> None:
        """Make or change one user."""
        name = quote(user.name, safe="")
        await self._call("PUT", f"users/{name}", {"password": password, "tags": ""})
        rights = {"configure": user.configure, "write": user.write, "read": user.read}
        await self._call("PUT", f"permissions/{self._vhost}/{name}", rights)
        for exchange, write, read in user.topics:
            topic = {"exchange": exchange, "write": write, "read": read}
            await self._call("PUT", f"topic-permissions/{self._vhost}/{name}", topic)

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, allow: int = 0) -> int:
        url = f"{self._base}/api/{path}"
        try:
            response = await self._http.request(method, url, json=body)
        except httpx.HTTPError as error:
            raise Unavailable(f"the management API does not answer at {self._base}: {_say(error)}") from None
        if response.status_code in (401, 403):
            raise InvalidSettings(f"{self._base}: the management API refuses this user; it needs the tag administrator")
        if response.status_code >= 400 and response.status_code != allow:
            raise ReturpostError(f"{method} {url}: {response.status_code} {response.text[:500]}")
        return response.status_code


def vhost_of(amqp_url: str) -> str:
    """Return the virtual host of an AMQP URL (https://www.rabbitmq.com/docs/uri-spec); none named is `/`."""
    return unquote(urlsplit(amqp_url).path[1:]) or "/"


def _with_user(amqp_url: str, user: str, password: str) -> str:
    parts = urlsplit(amqp_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
