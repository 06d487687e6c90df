"""RabbitMQ: declare the topology and the users at a broker (`returpost topology apply`), and see what is there."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelClosed, ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import InvalidFrameError

from deploy.rabbitmq.differences import EXCHANGE_ADVICE, MAY_DIFFER, QUEUE_ADVICE, STREAM_ADVICE
from deploy.rabbitmq.management import Management, vhost_of
from returpost.amqp.connections import connect
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.messaging import topology

DECLARE_TIMEOUT = 60.0
"""Seconds for one declaration: a quorum queue holds an election first."""
DECLARE_AGAIN = 0.5
_OTHER = re.compile(
    r"inequivalent arg '(?P<name>[^']+)' .* but current is "
    r"(none|undefined|(the value )?'(?P<value>[^']*)'( of type '(?P<type>\w+)')?)"
)
"""What RabbitMQ 3.10 to 4 say of the first argument that differs; with its type where the wanted one is of another."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue of the topology as it is at the broker."""

    name: str
    exists: bool
    waiting: int = 0
    """Messages that nobody has been given yet."""
    consumers: int = 0


def _to_nobody(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """How the topology is declared."""

    stream_days: int = topology.STREAM_DAYS
    """For how long streams keep events."""
    recreate_streams: bool = False
    """Delete those that are there with other properties, with all that they keep, and declare them anew."""
    group_size: int | None = None
    """On how many nodes of a cluster each new queue is kept; not said, RabbitMQ decides."""
    say: Callable[[str], None] = _to_nobody
    """Hears of limits that an older release declared, and that still hold."""


AS_USUAL = Declaration()
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
    how: Declaration = AS_USUAL,
) -> dict[str, str]:
    """Declare the topology and its users, and return the AMQP URL that each user connects with.

    `passwords` has one for each user, by name. Users and policies need the management API (`http://host:15672`, with
    the user of the AMQP URL unless it names its own), which also makes the virtual host; without it (`None`) all share
    the given URL, and new queues are declared with what the policies would say. Safe to repeat; nothing is removed,
    unless `how` says so. Not for use inside an event loop: call it in a thread there. Raises `InvalidSettings` when a
    URL, a user or a password is wrong, `Unavailable` when the broker does not answer, `ReturpostError` when a queue or
    an exchange is there as something else.
    """
    return asyncio.run(_apply(amqp_url, management_url, tuple(senders), passwords or {}, users(senders, crms), how))


def declare(amqp_url: str, management_url: str | None, senders: Iterable[str], how: Declaration = AS_USUAL) -> None:
    """Declare the topology alone, without its users. Raises as `apply` does."""
    asyncio.run(_apply(amqp_url, management_url, tuple(senders), {}, (), how))


def states(amqp_url: str, senders: Iterable[str] = DEFAULT) -> list[QueueState]:
    """Return how each queue of the topology is. Not for use inside an event loop. Raises as `apply` does."""
    return asyncio.run(_states(amqp_url, tuple(senders)))


async def _apply(
    amqp_url: str,
    management_url: str | None,
    senders: Iterable[str],
    passwords: Mapping[str, str],
    wanted: Sequence[topology.User],
    how: Declaration,
) -> dict[str, str]:
    queues, policies = topology.queues(senders, how.group_size), topology.policies(how.stream_days)
    if management_url is None:
        by_themselves = [
            replace(queue, arguments=queue.arguments | topology.policy_of(queue.name, policies).arguments())
            for queue in queues
        ]
        await _declare(amqp_url, by_themselves, policies, how)
        return {user.name: amqp_url for user in wanted}
    missing = [user.name for user in wanted if not passwords.get(user.name)]
    if missing:
        raise InvalidSettings(f"no broker password for {', '.join(missing)}")
    async with Management(management_url, amqp_url) as management:
        await management.make_vhost()
        for policy in policies:  # first: they say where the leader of a new queue goes
            await management.set_policy(policy)
        await _declare(amqp_url, queues, policies, how)
        for user in wanted:
            await management.make_user(user, passwords[user.name])
    return {user.name: _with_user(amqp_url, user.name, passwords[user.name]) for user in wanted}


async def _declare(
    amqp_url: str, queues: Sequence[topology.Queue], policies: Sequence[topology.Policy], how: Declaration
) -> None:
    """Declare all; a queue whose node is still starting is waited for."""
    deadline = time.monotonic() + DECLARE_TIMEOUT
    while True:
        try:
            connection = await _connect(amqp_url)
            async with connection:
                if how.recreate_streams:
                    for queue in queues:
                        if queue.is_stream and await _is_other(connection, queue):
                            await _delete(connection, queue.name)
                older = await _declare_all(connection, queues)
            break
        except _NotReady:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(DECLARE_AGAIN)
    for name, arguments in older.items():
        if held := _held_back(arguments, topology.policy_of(name, policies)):
            how.say(f"{name} was declared with {held}, which still holds")


def _held_back(there: Mapping[str, Any], policy: topology.Policy) -> str:
    """Return the arguments of a queue that are tighter than its policy: of both the tighter holds."""
    tighter = [
        f"{key}={there[key]}"
        for key, wanted in policy.arguments().items()
        if key in there and key != "x-queue-leader-locator" and _size(there[key]) < _size(wanted)
    ]
    return ", ".join(tighter)


def _size(limit: Any) -> float:
    """Return a number, or an age in days."""
    if isinstance(limit, int):
        return limit
    days = {"Y": 365.0, "M": 30.0, "D": 1.0, "h": 1 / 24, "m": 1 / 1440, "s": 1 / 86400}
    return int(limit[:-1]) * days[limit[-1]]


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


async def _declare_all(
    connection: AbstractConnection, queues: Sequence[topology.Queue]
) -> dict[str, Mapping[str, Any]]:
    """Return the queues that were there with other numbers, each with its arguments."""
    older: dict[str, Mapping[str, Any]] = {}
    name, advice = "", EXCHANGE_ADVICE
    try:
        channel = await connection.channel()
        for exchange in topology.EXCHANGES:
            name = exchange.name
            await channel.declare_exchange(name, exchange.type, durable=True, timeout=DECLARE_TIMEOUT)
        advice = QUEUE_ADVICE
        for queue in queues:
            name, arguments = queue.name, queue.arguments
            while True:
                try:
                    declared = await channel.declare_queue(
                        name, durable=True, arguments=arguments, timeout=DECLARE_TIMEOUT
                    )
                    break
                except ChannelPreconditionFailed as error:
                    advice = STREAM_ADVICE if queue.is_stream else advice
                    older[name] = arguments = as_it_is(arguments, error)
                    channel = await connection.channel()  # a refusal costs the channel
            for binding in queue.bindings:
                await declared.bind(binding.exchange, binding.key, timeout=DECLARE_TIMEOUT)
        await channel.close()
    except ChannelPreconditionFailed as error:
        raise ReturpostError(
            f"{name} is at the broker with other properties than Returpost's: {error}; {advice}"
        ) from None
    except ChannelNotFoundEntity as error:  # after a restart the broker answers before all of its queues do
        raise _NotReady(f"{name} is not ready at the broker: {error}") from None
    except ChannelClosed as error:
        raise InvalidSettings(f"the broker's user may not declare {name}: {error}") from None
    except (AMQPError, OSError, TimeoutError) as error:
        raise Unavailable(f"RabbitMQ went away while {name} was declared: {_say(error)}") from None
    return older


def as_it_is(wanted: Mapping[str, Any], refusal: ChannelPreconditionFailed) -> dict[str, Any]:
    """Return the arguments with the one that the broker refuses as it is there. Raises the refusal if it matters."""
    said = _OTHER.search(str(refusal))
    if said is None or said["name"] not in MAY_DIFFER:
        raise refusal
    there = {key: value for key, value in wanted.items() if key != said["name"]}
    if (value := said["value"]) is not None:
        is_text = said["type"] == "longstr" if said["type"] else isinstance(wanted.get(said["name"]), str)
        there[said["name"]] = value if is_text else int(value)
    if there == wanted:
        raise refusal
    return there


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
    try:
        connection: AbstractConnection = await connect(amqp_url, "returpost topology")
    except InvalidFrameError:  # the broker closes instead of opening: it has no such virtual host, or not for this user
        raise InvalidSettings(
            f"RETURPOST_AMQP_URL: the broker has no virtual host {vhost_of(amqp_url)!r} for this user; "
            "with the management URL it is made"
        ) from None
    except (AMQPError, OSError, TimeoutError) as error:
        hosts = urlsplit(amqp_url).netloc.rpartition("@")[2]
        raise Unavailable(f"RabbitMQ does not answer at {hosts}: {_say(error)}") from None
    return connection


def _with_user(amqp_url: str, user: str, password: str) -> str:
    parts = urlsplit(amqp_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))


def _say(error: BaseException) -> str:
    return str(error) or type(error).__name__
