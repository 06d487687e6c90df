"""Fixtures: one private RabbitMQ and one PostgreSQL a run, shared by all workers; a vhost and a database a test."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import aio_pika
import httpx
import hypothesis
import psycopg
import pytest

from deploy import database as deploy_database
from deploy.rabbitmq import broker as deploy_broker
from returpost.amqp.connections import CONNECT_TIMEOUT, close
from shared.observability.logging import configure_logging
from tests.support import run_folder as run_folder_of_tests
from tests.support.backing_services import run_lock, session_backing, versions
from tests.support.harness import Harness
from tests.support.loops import BoundedLoop, new_loop
from tests.support.tiers import SERVERS

configure_logging("test", "WARNING", console=True)

hypothesis.settings.register_profile("without-deadlines", deadline=None)
hypothesis.settings.load_profile("without-deadlines")
"""A machine that is busy with other things is no defect of the code."""

PASSWORDS = dict.fromkeys(deploy_database.SERVICES, "a-password-for-tests")


PATIENCE = 60
LIMITED = f"-c statement_timeout={PATIENCE}s"
"""A server that does not answer is an error that says where, long before the time of the test is up."""


OWN_FOLDER = pytest.StashKey[Path]()
LOGS = pytest.StashKey[Path | None]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give each run a folder of its own: in the common one the next run takes away the rights that PostgreSQL needs."""
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        config.stash[OWN_FOLDER] = run_folder_of_tests.make()
        config.option.basetemp = str(config.stash[OWN_FOLDER] / "run")


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(settings: Any) -> None:
    """Have a test that hangs end inside its loop, before pytest-timeout ends it from outside."""
    BoundedLoop.limit = 0.8 * settings.timeout


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Fail a test of which the loop did not end by itself."""
    BoundedLoop.hung = False
    yield
    if BoundedLoop.hung:
        pytest.fail("something hung after the test; stderr has the tasks")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the logs of a run that failed."""
    folder = session.config.stash.get(OWN_FOLDER, None)
    if folder is not None:
        failed = exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        session.config.stash[LOGS] = run_folder_of_tests.remove(folder, keep_logs=failed)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the logs of a run that failed are."""
    if kept := config.stash.get(LOGS, None):
        terminalreporter.write_line(f"the logs of its servers: {kept}")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": new_loop}


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def backing(run_folder: Path, pytestconfig: pytest.Config) -> Iterator[Any]:
    """RabbitMQ and PostgreSQL, started when the first test needs them."""
    with session_backing(run_folder) as started:
        pytestconfig.stash[SERVERS] = versions(started)
        yield started


@pytest.fixture(scope="session")
def template(backing: Any, run_folder: Path) -> str:
    """Name of a migrated database that each test copies; made by whichever worker comes first."""
    server = hashlib.sha256(backing.database_url.encode()).hexdigest()[:12]
    note = run_folder / f"template-{server}.json"
    with run_lock(run_folder, "template"):
        if note.exists():
            return str(json.loads(note.read_text()))
        name = f"template_{uuid4().hex[:12]}"
        _execute(backing.database_url, f"CREATE DATABASE {name}")
        deploy_database.prepare(_database(backing.database_url, name), PASSWORDS)
        note.write_text(json.dumps(name))
        return name


@pytest.fixture
def vhost(backing: Any) -> Iterator[str]:
    """A vhost of the test's own."""
    with made_vhost(backing) as name:
        yield name


@contextmanager
def made_vhost(backing: Any) -> Iterator[str]:
    """Make a vhost for as long as the block lasts."""
    name = f"test-{uuid4().hex[:12]}"
    with httpx.Client(base_url=backing.management_url, timeout=PATIENCE) as http:
        user = urlsplit(backing.amqp_url).username
        http.put(f"/api/vhosts/{name}", json={}).raise_for_status()
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        http.put(f"/api/permissions/{name}/{user}", json=everything).raise_for_status()
        yield name
        http.delete(f"/api/vhosts/{name}").raise_for_status()


@pytest.fixture
def database(backing: Any, template: str) -> Iterator[str]:
    """A migrated database of the test's own, by its administrator's URL."""
    with made_database(backing, template) as url:
        yield url


@contextmanager
def made_database(backing: Any, template: str) -> Iterator[str]:
    """Make a migrated database for as long as the block lasts.

    Its files are copied as they are: hundreds of small tables through the log take five times as long.
    """
    name = f"test_{uuid4().hex[:12]}"
    _execute(backing.database_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield _database(backing.database_url, name)
    _execute(backing.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def harness(backing: Any, vhost: str, database: str) -> AsyncIterator[Harness]:
    """A vhost with the topology and a migrated database."""
    amqp_url = _vhost(backing.amqp_url, vhost)
    await asyncio.to_thread(deploy_broker.apply, amqp_url, None, {"default": (), "news": ()})
    connection = await aio_pika.connect(amqp_url, timeout=CONNECT_TIMEOUT)
    channel = await connection.channel(on_return_raises=True)
    urls = {service: _user(database, f"returpost_{service}", PASSWORDS[service]) for service in PASSWORDS}
    yield Harness(amqp_url, backing.management_url, vhost, urls, database, connection, channel)
    await close(connection)


def _execute(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=PATIENCE, options=LIMITED) as connection:
        connection.execute(sql.encode())


def _database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _vhost(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(name, safe='')}"))


def _user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))
