"""RabbitMQ and PostgreSQL for one folder: given by URL, found running, or started; the last user stops them."""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import psutil

from deploy.local.container import RabbitContainer
from deploy.local.debian_archive import unpack
from deploy.local.install import HOW_TO, Way, choose, install, look
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.processes import identified, identify
from deploy.local.rabbitmq import RabbitNode, find_binaries, wants_rabbitmq_4
from returpost.amqp.connections import urls_of
from returpost.cli.installation import Installation
from returpost.errors import Unavailable

DEFAULT_BASE = Path(".returpost")
KEEP_SECONDS = 1.0
"""Between two looks whether the servers live."""


class Server(Protocol):
    """What can be started and stopped."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


class Rabbit(Server, Protocol):
    """RabbitMQ, as a node or in a container."""

    @property
    def amqp_url(self) -> str: ...
    @property
    def management_url(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Backing:
    """Where the servers are, each by its administrator's URL."""

    base_dir: Path
    amqp_url: str
    management_url: str | None
    database_url: str

    @contextmanager
    def kept(self, say: Callable[[str], None]) -> Iterator[None]:
        """Start again what dies of the servers of this folder, until the block ends."""
        ended = threading.Event()
        keeper = threading.Thread(target=_keep, args=(self.base_dir, ended, say), name="servers", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def stop(self) -> None:
        """Let go; whoever is the last stops what was started here. What was given by URL is left alone."""
        with locked(self.base_dir):
            users = [user for user in _users(self.base_dir) if user[0] != os.getpid()]
            _write_users(self.base_dir, users)
            if not users:
                _stop_servers(self.base_dir)


def start_backing(base_dir: Path = DEFAULT_BASE) -> Backing:
    """Return running servers for this folder.

    `RETURPOST_AMQP_URL` (with `RETURPOST_AMQP_MANAGEMENT_URL`, by default port 15672 of the same host) and
    `RETURPOST_DATABASE_URL` are used when set. Else a private node and an embedded server are started, or found running
    when somebody else in this folder has started them. Raises `Unavailable` that says what to do.
    """
    base_dir = base_dir.absolute()
    Installation(base_dir).make()
    with locked(base_dir):
        with ThreadPoolExecutor(2) as pool:
            broker = pool.submit(_broker_urls, base_dir)
            database = pool.submit(_database_url, base_dir)
            amqp_url, management_url = broker.result()
            backing = Backing(base_dir, amqp_url, management_url, database.result())
        own = identify(psutil.Process())
        _write_users(base_dir, [*(user for user in _users(base_dir) if user[0] != own[0]), own])
        note = base_dir / "backing.json"
        note.touch(mode=0o600)
        note.write_text(json.dumps(asdict(backing) | {"base_dir": str(base_dir)}))
        return backing


def read_running(base_dir: Path = DEFAULT_BASE) -> Backing | None:
    """Return the servers that somebody uses in this folder now."""
    note = base_dir / "backing.json"
    if not note.exists() or not _users(base_dir):
        return None
    return Backing(**(json.loads(note.read_text()) | {"base_dir": base_dir.absolute()}))


def stop_all(base_dir: Path = DEFAULT_BASE) -> None:
    """Stop the servers of this folder, whoever uses them, those that a killed process left behind included."""
    if base_dir.exists():
        with locked(base_dir):
            _write_users(base_dir, [])
            _stop_servers(base_dir)


def left_behind(base_dir: Path = DEFAULT_BASE) -> list[str]:
    """Return the servers of this folder that run although nobody uses them: whoever started them was killed."""
    if not base_dir.exists() or _users(base_dir):
        return []
    return [name for name, server in _own_servers(base_dir).items() if server.running]


def revive(base_dir: Path) -> list[str]:
    """Start again what has died of the servers that were started in this folder, and return their names.

    Raises `Unavailable` when one does not start, or cannot have its port again.
    """
    revived = []
    with locked(base_dir):
        for name, server in _own_servers(base_dir).items():
            if server.process is None:
                before = server.url
                server.start()
                if server.url != before:
                    raise Unavailable(f"{name} has died, and its port is taken: stop all and start again")
                revived.append(name)
    return revived


def _keep(base_dir: Path, ended: threading.Event, say: Callable[[str], None]) -> None:
    while not ended.wait(KEEP_SECONDS):
        try:
            for name in revive(base_dir):
                say(f"{name} had died and was started again")
        except Unavailable as error:
            say(str(error))


def _own_servers(base_dir: Path) -> dict[str, RabbitNode | EmbeddedPostgres]:
    """Return the servers of this folder that are processes of ours, those that have died included."""
    found: dict[str, RabbitNode | EmbeddedPostgres] = {}
    if (base_dir / "rabbitmq" / "node.json").exists() and (binaries := find_binaries()):
        found["RabbitMQ"] = RabbitNode(base_dir / "rabbitmq", binaries)
    if (base_dir / "postgres" / "port").exists():
        found["PostgreSQL"] = EmbeddedPostgres(base_dir / "postgres")
    given = {"RabbitMQ": "RETURPOST_AMQP_URL", "PostgreSQL": "RETURPOST_DATABASE_URL"}
    return {name: server for name, server in found.items() if not os.environ.get(given[name])}


def rabbit_in(folder: Path) -> Rabbit:
    """Return RabbitMQ for this folder, installing what is missing. Raises `Unavailable` that says what to do."""
    if wants_rabbitmq_4():
        return RabbitNode(folder, unpack())
    facts = look()
    way = choose(facts)
    if way is Way.INSTALLED and (binaries := find_binaries()) is not None:
        return RabbitNode(folder, binaries)
    if way is Way.APT:
        return RabbitNode(folder, install())
    if way is Way.CONTAINER and facts.engine is not None:
        return RabbitContainer(folder, facts.engine)
    raise Unavailable(HOW_TO)


def _broker_urls(base_dir: Path) -> tuple[str, str | None]:
    if url := os.environ.get("RETURPOST_AMQP_URL"):
        return url, os.environ.get("RETURPOST_AMQP_MANAGEMENT_URL") or _default_management(url)
    rabbit = rabbit_in(base_dir / "rabbitmq")
    rabbit.start()
    return rabbit.amqp_url, rabbit.management_url


def _database_url(base_dir: Path) -> str:
    if url := os.environ.get("RETURPOST_DATABASE_URL"):
        return url
    postgres = EmbeddedPostgres(base_dir / "postgres")
    postgres.start()
    return postgres.url


def _default_management(amqp_url: str) -> str:
    parts = urlsplit(urls_of(amqp_url)[0])
    credentials = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit(("http", f"{credentials}{parts.hostname or 'localhost'}:15672", "", "", ""))


def _stop_servers(base_dir: Path) -> None:
    stops: list[Callable[[], None]] = []
    if (base_dir / "rabbitmq" / "node.json").exists():
        stops.append(RabbitNode(base_dir / "rabbitmq", find_binaries() or Path()).stop)
    if (base_dir / "rabbitmq" / "container.json").exists() and (engine := look().engine):
        stops.append(RabbitContainer(base_dir / "rabbitmq", engine).stop)
    if (base_dir / "postgres").exists():
        stops.append(EmbeddedPostgres(base_dir / "postgres").stop)
    with ThreadPoolExecutor(2) as pool:
        for stopped in [pool.submit(stop) for stop in stops]:
            stopped.result()


def _users(base_dir: Path) -> list[list[Any]]:
    """Return the processes that use the servers, as `identify` does: those that still live."""
    note = base_dir / "users.json"
    return [user for user in json.loads(note.read_text()) if identified(user)] if note.exists() else []


def _write_users(base_dir: Path, users: list[list[Any]]) -> None:
    note = base_dir / "users.json"
    note.touch(mode=0o600)
    note.write_text(json.dumps(users))


@contextmanager
def locked(base_dir: Path) -> Iterator[None]:
    """One at a time starts and stops servers in a folder; the lock goes with the process that holds it."""
    path = base_dir / "lock"
    path.touch(mode=0o600)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
