"""The local servers: start, stop, restart, killed and started again, side by side, as root and as nobody."""

import json
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import psutil
import psycopg
import pytest

from deploy.local import postgres, rabbitmq
from deploy.local.backing_services import left_behind, rabbit_in, read_running, revive, start_backing
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.processes import Logs, free_port, recall, remember, wait_until
from deploy.local.rabbitmq import RabbitNode, find_binaries
from tests.support.harness import eventually

pytestmark = [pytest.mark.services, pytest.mark.faults]


def ask(url: str, sql: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_postgres_keeps_its_data_through_everything(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "pg")
    try:
        server.start()
        first = server.url
        ask(server.url, "CREATE TABLE kept AS SELECT 42 AS n")
        server.start()
        server.restart()
        assert server.url == first
        server.kill()
        assert server.process is None
        server.start()
        assert ask(server.url, "SELECT n FROM kept") == 42
        assert ask(server.url, "SHOW synchronous_commit") == ask(server.url, "SHOW fsync") == "on"
        wrong = first.replace(urlsplit(first).password or "", "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            ask(wrong, "SELECT 1")
    finally:
        server.stop()
    assert server.process is None


def test_an_interrupted_creation_is_begun_again(tmp_path: Path) -> None:
    half_made = tmp_path / "pg" / "data"
    half_made.mkdir(parents=True)
    (half_made / "postgresql.conf").write_text("half")
    server = EmbeddedPostgres(tmp_path / "pg")
    server.start()
    server.stop()


@pytest.mark.parametrize("kind", ["postgres", "rabbitmq"])
def test_a_port_that_is_taken_in_the_last_moment_is_another_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        chosen = [taken]
        module = postgres if kind == "postgres" else rabbitmq
        monkeypatch.setattr(module, "free_port", lambda wanted=None: chosen.pop() if chosen else free_port(wanted))
        server = EmbeddedPostgres(tmp_path) if kind == "postgres" else RabbitNode(tmp_path, find_binaries() or Path())
        try:
            server.start()
            url = server.url if isinstance(server, EmbeddedPostgres) else server.amqp_url
            assert urlsplit(url).port != taken
            assert server.process is not None
        finally:
            server.stop()


def test_only_what_a_start_wrote_tells_of_it(tmp_path: Path) -> None:
    (tmp_path / "old.log").write_text("Address already in use\n")
    (tmp_path / "cut.log").write_text("Address already in use\n")
    logs = Logs(tmp_path, "*.log")
    assert "in use" not in logs.tail(100)
    (tmp_path / "cut.log").write_text("cut short")
    (tmp_path / "new.log").write_text("begun")
    with (tmp_path / "old.log").open("a") as old:
        old.write("no space left")
    assert logs.tail(5) == "short begun  left"


async def publish(url: str) -> int:
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await eventually(lambda: confirmed(channel, message))  # refused while a new queue chooses its leader
        return (await queue.declare()).message_count or 0


async def confirmed(channel: aio_pika.abc.AbstractChannel, message: aio_pika.Message) -> bool:
    try:
        await channel.default_exchange.publish(message, "kept")
    except aio_pika.exceptions.DeliveryError:
        return False
    return True


@pytest.mark.anyio
async def test_two_nodes_side_by_side_and_one_is_killed(tmp_path: Path) -> None:
    nodes = [rabbit_in(tmp_path / name) for name in ("one", "two")]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda node: node.start(), nodes))
        assert len({node.amqp_url for node in nodes}) == 2
        assert [await publish(node.amqp_url) for node in nodes] == [1, 1]
        first = nodes[0]
        url = first.amqp_url
        first.stop()  # RabbitMQ 3.10 writes the name of a new queue to disk seconds later, or when it stops
        first.start()
        if isinstance(first, RabbitNode):
            first.kill()
            assert first.process is None
            first.start()
            assert first.amqp_url == url
        assert [await publish(node.amqp_url) for node in nodes] == [2, 2]
        with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
            await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{urlsplit(url).port}/")
    finally:
        for node in nodes:
            node.stop()
    if find_binaries():
        assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or ())]


def test_the_second_attaches_and_the_last_one_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETURPOST_AMQP_URL", raising=False)
    monkeypatch.delenv("RETURPOST_DATABASE_URL", raising=False)
    backing = start_backing(tmp_path)
    try:
        script = (
            "import sys; from pathlib import Path; from deploy.local.backing_services import start_backing;"
            "backing = start_backing(Path(sys.argv[1])); print(backing.amqp_url, backing.database_url); backing.stop()"
        )
        other = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True, timeout=120
        )
        assert other.stdout.split() == [backing.amqp_url, backing.database_url]
        assert ask(backing.database_url, "SELECT 1") == 1, "the other one has not stopped ours"
        assert read_running(tmp_path) == backing
        assert open_to_others(tmp_path) == []
    finally:
        backing.stop()
    assert read_running(tmp_path) is None
    assert EmbeddedPostgres(tmp_path / "postgres").process is None


def test_what_a_killed_owner_left_is_found_and_stopped(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from deploy.local.backing_services import start_backing;"
        "start_backing(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False, timeout=120)
    assert read_running(tmp_path) is None
    left = EmbeddedPostgres(tmp_path / "postgres")
    assert left.process is not None
    (tmp_path / "postgres" / "process.json").unlink()
    (tmp_path / "rabbitmq" / "process.json").unlink()
    assert left_behind(tmp_path) == ["RabbitMQ", "PostgreSQL"], "also when their notes are lost"
    line = [sys.executable, "-m", "returpost", "down", "--dir", str(tmp_path)]
    down = subprocess.run(line, check=True, capture_output=True, text=True, timeout=120)
    assert "RabbitMQ and PostgreSQL" in down.stdout + down.stderr
    assert left.process is None
    assert left_behind(tmp_path) == []
    assert of_folder(tmp_path) == []


def test_what_dies_is_started_again_with_the_same_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETURPOST_AMQP_URL", raising=False)
    monkeypatch.delenv("RETURPOST_DATABASE_URL", raising=False)
    backing = start_backing(tmp_path)
    try:
        node = RabbitNode(tmp_path / "rabbitmq", find_binaries() or Path())
        database = EmbeddedPostgres(tmp_path / "postgres")
        said: list[str] = []
        with backing.kept(said.append):
            node.kill()
            database.kill()
            wait_until(lambda: len(said) == 2, 120, "both to be started again")
        assert {line.partition(" ")[0] for line in said} == {"RabbitMQ", "PostgreSQL"}
        assert (node.amqp_url, database.url) == (backing.amqp_url, backing.database_url)
        assert ask(backing.database_url, "SELECT 1") == 1
        beams = [one.pid for one in node.processes() if one.name().startswith("beam")]
        assert node.process is not None
        node.process.kill()  # the script alone: the node itself goes on
        wait_until(lambda: node.process is None, 30, "the script to end")
        assert revive(tmp_path) == ["RabbitMQ"]
        assert [one.pid for one in node.processes() if one.name().startswith("beam")] == beams, "no second node"
    finally:
        backing.stop()
    assert of_folder(tmp_path) == []


def open_to_others(folder: Path) -> list[Path]:
    """Return what of a folder another local user may list or read."""
    found = []
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        mode = path.lstat().st_mode
        if mode & 0o044 and not path.is_symlink():
            found.append(path)
        if path.is_dir() and mode & 0o011:
            waiting += path.iterdir()
    return found


def of_folder(folder: Path) -> list[psutil.Process]:
    """Return the processes that run in a folder."""
    return [one for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or ())]


def test_urls_of_the_environment_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURPOST_AMQP_URL", "amqp://ann:secret@broker.example:5671/mail")
    monkeypatch.setenv("RETURPOST_DATABASE_URL", "postgresql://database.example/mail")
    backing = start_backing(tmp_path)
    assert backing.amqp_url == "amqp://ann:secret@broker.example:5671/mail"
    assert backing.management_url == "http://ann:secret@broker.example:15672"
    assert backing.database_url == "postgresql://database.example/mail"
    assert not (tmp_path / "postgres").exists()
    backing.stop()


def test_a_pid_that_was_given_away_is_not_taken_for_ours(tmp_path: Path) -> None:
    note = tmp_path / "process.json"
    remember(note, os.getpid())
    assert recall(note) == psutil.Process()
    pid, boot, started = json.loads(note.read_text())
    for other in (json.dumps([pid, boot, started - 5]), json.dumps([pid, "another", started]), "[]", "{}", "not JSON"):
        note.write_text(other)
        assert recall(note) is None


def test_a_process_is_known_after_the_clock_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "process.json"
    remember(note, os.getpid())
    begun, booted = psutil.Process().create_time(), psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 3_600)
    assert psutil.Process().create_time() == pytest.approx(begun + 3_600, abs=2), "all start times move with the clock"
    assert recall(note) == psutil.Process()


def as_nobody(*line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path.cwd()), *(entry for entry in sys.path if entry.endswith("site-packages"))])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(folder)}
    return subprocess.run(
        line, check=False, capture_output=True, text=True, timeout=180, cwd=folder,
        user="nobody", group="nogroup", extra_groups=[], env=environment,
    )  # fmt: skip


def python_of_nobody(folder: Path) -> str | None:
    """Return a Python that an ordinary user may run, and that can read what is installed here."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            if as_nobody(python, "-c", "import psutil, deploy.local.backing_services", folder=folder).returncode == 0:
                return python
        except OSError:
            continue
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_can_start_both(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o777)
    shutil.chown(folder, "nobody")
    for above in folder.parents:
        above.chmod(above.stat().st_mode | 0o001)
    script = (
        "import sys; from pathlib import Path; from deploy.local.backing_services import start_backing;"
        "backing = start_backing(Path(sys.argv[1])); backing.stop(); print('done')"
    )
    python = python_of_nobody(folder)
    if python is None:
        pytest.skip("no Python here that an ordinary user may run")
    done = as_nobody(python, "-c", script, str(folder / "base"), folder=folder)
    assert done.stdout.strip() == "done", done.stderr
