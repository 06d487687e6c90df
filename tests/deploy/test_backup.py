"""A backup, restored into an empty database and an empty virtual host, is the same; the archive has what came later."""

import gzip
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import anyio.to_thread
import asyncpg
import psycopg
import pytest

from bench.load.monitor import compare
from bench.load.oracle import expect
from bench.load.workload import inputs, messages
from deploy.backup.backup import Place, backup, read, restore, restore_secrets
from deploy.database import SERVICES, prepare
from deploy.rabbitmq.broker import declare
from returpost.contracts.routing import COMMANDS
from returpost.errors import InvalidSettings
from tests.conftest import PASSWORDS, made_vhost
from tests.support.harness import TENANT, Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services, pytest.mark.timeout(900)]

REPLAYED = (
    ("returpost.delivery.recorded.v1", "actions.delivery-recorded"),
    ("returpost.delivery.recorded.v1", "blocklist.delivery-recorded"),
    ("returpost.delivery.recorded.v1", "classifier.delivery-recorded"),
    ("returpost.bounce.received.v1", "classifier.bounce-received"),
)


@asynccontextmanager
async def running(harness: Harness) -> AsyncIterator[dict[str, RunningService]]:
    async with AsyncExitStack() as stack:
        found = {}
        for name in SERVICES:
            module, settings = (import_module(f"services.{name}.{part}") for part in ("app", "settings"))
            found[name] = await stack.enter_async_context(harness.running(module.create, settings.Settings, name))
        yield found


@contextmanager
def empty_database(url: str) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def tables(url: str) -> dict[str, str]:
    """Return a digest of the rows of each table."""
    connection = await asyncpg.connect(url)
    names = await connection.fetch(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY($1)", list(SERVICES)
    )
    found = {}
    for (name,) in names:
        found[name] = await connection.fetchval(
            f"SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {name} t"  # noqa: S608
        )
    await connection.close()
    return found


def place_of(harness: Harness, folder: Path) -> Place:
    return Place(dict.fromkeys(SERVICES, harness.admin_url), harness.amqp_url, harness.management_url, folder / "keys")


async def test_a_restore_is_the_same_and_the_archive_has_the_rest(
    harness: Harness, backing: Any, tmp_path: Path
) -> None:
    made = inputs(600, TENANT, junk=0.0)
    await anyio.to_thread.run_sync(lambda: declare(harness.amqp_url, None, ("bench",)))  # where retries go
    (tmp_path / "keys").write_text('{"token_key": "k"}')
    async with running(harness):
        for body in messages(made[:400], 50):
            await harness.publish(COMMANDS, f"delivery.result.{TENANT}.bench", body)
        await eventually(partial(compare, harness.admin_url, TENANT, expect(made[:400])), lambda differs: not differs)
        await eventually(partial(harness.unacknowledged, *SERVICES), lambda count: not count)
    before, folder = await tables(harness.admin_url), tmp_path / "backup"
    here = place_of(harness, tmp_path)
    written = await anyio.to_thread.run_sync(lambda: backup(here, folder, "test", say=print))
    assert written.streams["returpost.archive"] > 0
    assert not written.waiting
    assert {path.stat().st_mode & 0o077 for path in (folder, folder / "secrets", folder / "broker-users.json")} == {0}
    with made_vhost(backing) as vhost, empty_database(backing.database_url) as database:
        url = urlsplit(harness.amqp_url)._replace(path=f"/{vhost}").geturl()
        there = Place(dict.fromkeys(SERVICES, database), url, harness.management_url, None)
        await anyio.to_thread.run_sync(lambda: restore(there, folder, print))
        urls = await anyio.to_thread.run_sync(lambda: prepare(database, PASSWORDS))
        assert await tables(database) == before
        again = await anyio.to_thread.run_sync(lambda: backup(there, tmp_path / "again", "test", say=print))
        assert again.streams == written.streams
        for name in written.streams:
            assert _lines(tmp_path / "again", name) == _lines(folder, name)
        with pytest.raises(InvalidSettings, match="empty database"):
            await anyio.to_thread.run_sync(lambda: restore(there, folder, print))

        async with running(harness):  # life goes on, until the database is lost and its backup takes its place
            for body in messages(made[400:], 50):
                await harness.publish(COMMANDS, f"delivery.result.{TENANT}.bench", body)
            await eventually(partial(compare, harness.admin_url, TENANT, expect(made)), lambda differs: not differs)
        assert await compare(database, TENANT, expect(made))
        async with running(replace(harness, admin_url=database, database_urls=urls)) as services:
            for kind, queue in REPLAYED:
                await _replay(services["replay"], kind, queue)
            await eventually(partial(compare, database, TENANT, expect(made)), lambda differs: not differs)


async def _replay(replay: RunningService, kind: str, queue: str) -> None:
    """Send all that the archive has of a type into a queue."""
    chosen = {"type": kind, "into": queue, "since": "2000-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    answer = await replay.http.post("/v1/archive/replay", json={"selection": chosen, "rate": 0})
    assert answer.status_code == 202, answer.text

    async def state() -> str:
        return str((await replay.http.get(f"/v1/jobs/{answer.json()['job']}")).json()["state"])

    assert await eventually(state, lambda seen: seen != "running") == "finished"


def _lines(folder: Path, name: str) -> list[str]:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt") as file:
        return file.readlines()


def test_what_is_no_backup_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="is no backup"):
        read(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(InvalidSettings, match="format 2"):
        read(tmp_path)


def test_other_keys_are_never_replaced(tmp_path: Path) -> None:
    kept = tmp_path / "backup"
    kept.mkdir()
    (kept / "secrets").write_text('{"token_key": "a"}')
    restore_secrets(kept, tmp_path / "secrets")
    restore_secrets(kept, tmp_path / "secrets")
    (kept / "secrets").write_text('{"token_key": "b"}')
    with pytest.raises(InvalidSettings, match="other passwords"):
        restore_secrets(kept, tmp_path / "secrets")
    assert "a" in (tmp_path / "secrets").read_text()


def test_a_backup_has_a_folder_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="already"):
        backup(Place({}, "", None, None), tmp_path, "test", say=print)
