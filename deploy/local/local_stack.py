"""The whole system on one machine: the backing services, the database, the topology, and every service's process."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from deploy import database
from deploy.local.backing_services import Backing, start_backing
from deploy.local.supervisor import Program, Supervisor, Write
from deploy.rabbitmq import broker
from returpost.cli.env_config import for_service, setting
from returpost.cli.http.api import Api
from returpost.cli.installation import PORTS, PROGRAMS, Installation, Running, Secrets
from returpost.contracts.routing import SERVICES
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.messaging.topology import STREAM_DAYS, Tenants

BACKLOG = 128
MAX_STREAM_DAYS = 3_650
MAX_GROUP_SIZE = 7
"""Each more member makes every write slower: https://www.rabbitmq.com/docs/quorum-queues#replication-factor"""
HEALTH_INTERVAL = 0.25
SLOW_START = 60.0
"""Seconds after which a start is slow enough to say what it waits for."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    services: tuple[str, ...] = PROGRAMS
    workers: Mapping[str, int] = field(default_factory=dict)
    """Processes by service; one where nothing is said."""
    senders: Tenants = field(default_factory=lambda: broker.DEFAULT)
    single_role: bool = False
    console_logs: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings of the services, without `RETURPOST_`."""
    recreate_streams: bool = False
    share_http: bool = False
    """All processes of a service answer on its port, not the first alone; metrics and health are then of any one."""


@dataclass(frozen=True, slots=True)
class Access:
    """The URLs that each service and sender connects with."""

    amqp: Mapping[str, str] = field(repr=False)
    database: Mapping[str, str] = field(repr=False)


@contextmanager
def system(installation: Installation, options: Options, say: Say) -> Iterator[tuple[Running, list[Program]]]:
    """Start what the services need, set it up, and give what to run; stop it at the end.

    Raises `ReturpostError` when it already runs, and what the parts raise.
    """
    with installation.lock(), ExitStack() as stack:
        say("starting RabbitMQ and PostgreSQL")
        backing = start_backing(installation.folder)
        try:
            say("preparing the database and the topology")
            secrets = secrets_of(installation, options.senders)
            access = _set_up(backing, options, secrets, say)
            sockets = {service: listen(service, options, say, stack) for service in options.services}
            running = Running(
                os.getpid(),
                {service: _url(listening[0]) for service, listening in sockets.items()},
                backing.amqp_url,
                backing.database_url,
                backing.management_url,
                tuple(options.senders),
                {sender: access.amqp[f"sender-{sender}"] for sender in options.senders},
            )
            installation.started(running)
            with backing.kept(say):
                yield running, programs(options, access, sockets, secrets, installation.folder)
        finally:
            installation.ended()
            backing.stop()


def secrets_of(installation: Installation, senders: Tenants, crms: Tenants = broker.NONE) -> Secrets:
    """Return the secrets: those that the environment gives, the rest as generated for this installation."""
    users = [user.name for user in broker.users(senders, crms)]
    key = setting("TOKEN_KEYS")
    for_database = {name: setting(f"{name.upper()}_DATABASE_PASSWORD") for name in database.SERVICES}
    for_broker = {name: setting(f"{_variable(name)}_AMQP_PASSWORD") for name in users}
    if key and all(for_database.values()) and all(for_broker.values()):
        kept = Secrets("", {}, {})  # nothing to generate: the folder need not be writable
    else:
        kept = installation.secrets(database.SERVICES, users)
    return Secrets(
        key or kept.token_key,
        {name: password or kept.database[name] for name, password in for_database.items()},
        {name: password or kept.broker[name] for name, password in for_broker.items()},
    )


def _set_up(backing: Backing, options: Options, secrets: Secrets, say: Say) -> Access:
    how = declaration_of(options.recreate_streams, say)
    database_urls = migrate(backing.database_url, secrets, options.single_role)
    try:
        amqp = broker.apply(backing.amqp_url, backing.management_url, options.senders, secrets.broker, how=how)
    except Unavailable as error:
        if not setting("AMQP_URL") or setting("AMQP_MANAGEMENT_URL"):
            raise
        say(f"{error}; all services share the user of RETURPOST_AMQP_URL")
        amqp = broker.apply(backing.amqp_url, None, options.senders, how=how)
    return Access(amqp, database_urls)


def declaration_of(recreate_streams: bool, say: Say) -> broker.Declaration:
    """Return how the topology is declared. Raises `InvalidSettings`."""
    days = _whole_number("STREAM_DAYS", MAX_STREAM_DAYS) or STREAM_DAYS
    return broker.Declaration(days, recreate_streams, _whole_number("QUEUE_GROUP_SIZE", MAX_GROUP_SIZE), say)


def _whole_number(name: str, highest: int) -> int | None:
    text = setting(name)
    if not text:
        return None
    if not text.isdigit() or not 1 <= int(text) <= highest:
        raise InvalidSettings(f"RETURPOST_{name}: a whole number from 1 to {highest}")
    return int(text)


def migrate(database_url: str, secrets: Secrets, single_role: bool) -> dict[str, str]:
    """Prepare the database of every service: its own server where `RETURPOST_<SERVICE>_DATABASE_URL` names one."""
    urls: dict[str, str] = {}
    for service in database.SERVICES:
        url = setting(f"{service.upper()}_DATABASE_URL") or database_url
        urls |= database.prepare(url, secrets.database, single_role=single_role, only=(service,))
    return urls


def programs(
    options: Options,
    access: Access,
    sockets: Mapping[str, Sequence[socket.socket]],
    secrets: Secrets,
    folder: Path,
) -> list[Program]:
    """Return the processes to run, each with its own secrets alone; those of ingest share a file in the folder."""
    tokens = setting("INGEST_WEBHOOK_TOKENS_FILE") or str(folder.absolute() / "webhook-tokens.sqlite")
    for_ingest = replace(options, settings={"INGEST_WEBHOOK_TOKENS_FILE": tokens, **options.settings})
    urls = {service: _url(listening[0]) for service, listening in sockets.items()}
    return [
        _program(service, number, for_ingest if service == "ingest" else options, access, listening, secrets, urls)
        for service in options.services
        for number, listening in enumerate(_of_each(sockets[service], options.workers.get(service, 1)), 1)
    ]


def _of_each(sockets: Sequence[socket.socket], workers: int) -> list[socket.socket | None]:
    """Return the socket of each process; those that have none answer on a port of their own."""
    return [*sockets, *[None] * (workers - len(sockets))]


async def operate(
    running: Running, to_run: Sequence[Program], write: Write, say: Say, work: Callable[[], Awaitable[int]]
) -> int | None:
    """Run the programs; when all are ready do `work`, then stop them. Return what `work` returns; nothing when stopped.

    The first Ctrl-C (or SIGTERM) stops all gracefully, the second at once. Raises what the supervisor raises.
    """
    supervisor = Supervisor(to_run, write)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def interrupt() -> None:
        if stopped.is_set():
            say("ending at once")
            supervisor.kill()
        else:
            say("stopping; Ctrl-C again ends at once")
            stopped.set()
            supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    keeping = asyncio.create_task(supervisor.run())
    working = asyncio.create_task(_when_ready(running, say, work))
    try:
        await asyncio.wait((keeping, working), return_when=asyncio.FIRST_COMPLETED)
        if keeping.done() and keeping.exception():
            await keeping
        return None if stopped.is_set() else await working
    finally:
        working.cancel()
        supervisor.stop()
        await asyncio.gather(keeping, working, return_exceptions=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _when_ready(running: Running, say: Say, work: Callable[[], Awaitable[int]]) -> int:
    started = asyncio.get_running_loop().time()
    api = Api(running.urls, "")
    told = False
    while waiting := [service for service in running.urls if not await asyncio.to_thread(is_ready, api, service)]:
        if not told and asyncio.get_running_loop().time() - started > SLOW_START:
            say(f"still waiting for {', '.join(waiting)}")
            told = True
        await asyncio.sleep(HEALTH_INTERVAL)
    return await work()


def is_ready(api: Api, service: str) -> bool:
    """Tell whether a service says that it can do its work."""
    try:
        return bool(api.health(service)["ok"])
    except (Unavailable, ReturpostError):
        return False


def _program(
    service: str,
    number: int,
    options: Options,
    access: Access,
    listening: socket.socket | None,
    secrets: Secrets,
    urls: Mapping[str, str],
) -> Program:
    own = {"HTTP_PORT": "0", "LOG_CONSOLE": "true" if options.console_logs else "false", **options.settings}
    if service == "console":
        known = {other: urls.get(other) or setting(f"{other.upper()}_URL") for other in SERVICES}
        own |= {f"{other.upper()}_URL": url for other, url in known.items() if url}
    else:
        own |= {"AMQP_URL": access.amqp[f"returpost-{service}"], "TOKEN_KEYS": secrets.token_key}
    if listening is not None:
        own["HTTP_FD"] = str(listening.fileno())
    if service in access.database:
        own["DATABASE_URL"] = access.database[service]
    outer = dict(os.environ)
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").exists():  # a checkout that may not be installed
        outer["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), outer.get("PYTHONPATH"))))
    command = (sys.executable, "-P", "-m", f"services.{service}.app")
    name = service if number == 1 else f"{service}-{number}"
    descriptors = (listening.fileno(),) if listening is not None else ()
    environment = for_service(service, outer, own)
    if number > 1:  # mailboxes and ports for mail are the first one's
        environment.pop("RETURPOST_INGEST_MAIL_FILE", None)
    return Program(name, command, environment, descriptors)


def listen(service: str, options: Options, say: Say, until: ExitStack) -> list[socket.socket]:
    """Listen on the port that was asked for, else on the usual one, else, when it is taken, on a free one.

    The sockets are ours and the service inherits them: while a service starts anew its callers wait, and no other
    installation on this machine can take its port. Processes that share a port have a socket each, among which the
    kernel deals out the callers: of one that all accept from, whoever comes first takes nearly all.
    """
    first = _first(service, say)
    if not options.share_http:
        return [until.enter_context(first)]
    place = first.getsockname()[:2]
    first.close()
    number = options.workers.get(service, 1)
    return [until.enter_context(socket.create_server(place, backlog=BACKLOG, reuse_port=True)) for _ in range(number)]


def _first(service: str, say: Say) -> socket.socket:
    asked = setting(f"{service.upper()}_HTTP_PORT")
    usual = int(asked) if asked and asked.isdigit() else PORTS[service]
    host = setting("HTTP_HOST") or "127.0.0.1"
    try:
        return socket.create_server((host, usual), backlog=BACKLOG)
    except OSError:
        if asked:
            raise ReturpostError(f"RETURPOST_{service.upper()}_HTTP_PORT: port {usual} is taken") from None
    listening = socket.create_server((host, 0), backlog=BACKLOG)
    say(f"port {usual} is taken: {service} listens on {listening.getsockname()[1]}")
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared, not bound


def _variable(user: str) -> str:
    return user.removeprefix("returpost-").replace("-", "_").upper()
