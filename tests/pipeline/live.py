"""A whole system as `returpost up` runs it, in a folder of its own, for tests that break parts of it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import asyncpg
import httpx
import psutil
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError

from deploy.local.backing_services import locked, rabbit_in
from deploy.local.postgres import EmbeddedPostgres
from returpost.cli.installation import PROGRAMS, Installation, Running
from returpost.contracts.routing import COMMANDS
from shared.messaging.topology import queues

SENDER = "bench"
START_SECONDS = 120.0
IN_FLIGHT = 20
RETRY_SECONDS = 0.2


class Live:
    """The running system."""

    def __init__(self, folder: Path, running: Running, log: Path) -> None:
        self.running = running
        self.log = log
        self.rabbit = rabbit_in(folder / "rabbitmq")
        self.postgres = EmbeddedPostgres(folder / "postgres")
        self._folder = folder

    @contextmanager
    def unattended(self) -> Iterator[None]:
        """Keep `up` from starting again what dies, until the block ends."""
        with locked(self._folder):
            yield

    def processes(self) -> dict[str, psutil.Process]:
        """Return the process of each service that runs now."""
        found = {}
        for child in psutil.Process(self.running.pid).children():
            try:
                module = next((part for part in child.cmdline() if part.startswith("services.")), None)
            except psutil.NoSuchProcess:
                continue
            if module is not None:
                found[module.split(".")[1]] = child
        return found

    def kill(self, service: str) -> None:
        """`kill -9`."""
        self.processes()[service].send_signal(signal.SIGKILL)

    def memory(self) -> float:
        """Return the resident memory of the largest service, in MiB."""
        sizes = [0.0]
        for process in self.processes().values():
            try:
                sizes.append(process.memory_info().rss / 1024 / 1024)
            except psutil.NoSuchProcess:
                continue
        return max(sizes)

    async def ready(self) -> dict[str, bool]:
        """Tell of each service whether it says that it can do its work."""
        found = {}
        async with httpx.AsyncClient(timeout=10) as http:
            for service, url in self.running.urls.items():
                try:
                    found[service] = (await http.get(f"{url}/health/ready")).status_code == 200
                except httpx.TransportError:
                    found[service] = False
        return found

    async def ask(self, sql: str, *arguments: object) -> object:
        """Return one value out of the database."""
        connection = await asyncpg.connect(self.running.database_url)
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close()

    async def depths(self) -> dict[str, int]:
        """Return the queues that are not empty."""
        connection = await aio_pika.connect(self.running.amqp_url)
        async with connection, connection.channel() as channel:
            found = {}
            for queue in queues((SENDER,)):
                if queue.arguments["x-queue-type"] == "quorum" and not queue.name.startswith("sender."):
                    declared = await channel.declare_queue(queue.name, passive=True)
                    found[queue.name] = declared.declaration_result.message_count or 0
        return {name: count for name, count in found.items() if count}


@contextmanager
def live(folder: Path) -> Iterator[Live]:
    """Run `returpost up` until the block ends; its last lines are shown when it does not start."""
    log = folder / "up.log"
    with log.open("w") as lines:
        up = subprocess.Popen(
            [sys.executable, "-m", "returpost", "up", "--dir", str(folder / "home"), "--senders", SENDER],
            stdout=lines,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if not name.startswith("RETURPOST_")},
        )
    try:
        yield Live(folder / "home", _started(folder / "home", up, log), log)
    finally:
        up.terminate()
        try:
            up.wait(60)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait()


def _started(folder: Path, up: "subprocess.Popen[bytes]", log: Path) -> Running:
    deadline = time.monotonic() + START_SECONDS
    while True:
        running = Installation(folder).running()
        if running is not None and all(map(_answers, running.urls.values())) and set(running.urls) == set(PROGRAMS):
            return running
        assert up.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < deadline, f"not ready after {START_SECONDS} s: {log.read_text()[-4000:]}"
        time.sleep(0.2)  # until its processes answer; there is no event to wait for


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


async def hand_in(running: Running, tenant: str, rest: list[bytes]) -> None:
    """Publish as a sender does that loses nothing: what is not confirmed is published again, with the same ids.

    What has been confirmed is taken out of `rest`.
    """
    while rest:
        try:
            connection = await aio_pika.connect(running.sender_urls[SENDER])
            async with connection, connection.channel() as channel:
                exchange = await channel.get_exchange(COMMANDS, ensure=False)
                while rest:
                    part = rest[-IN_FLIGHT:]
                    key = f"delivery.result.{tenant}.{SENDER}"
                    await asyncio.gather(*(exchange.publish(_persistent(body), key, timeout=10) for body in part))
                    del rest[-IN_FLIGHT:]
        except (*CONNECTION_EXCEPTIONS, DeliveryError, OSError, TimeoutError, asyncio.InvalidStateError):
            await asyncio.sleep(RETRY_SECONDS)  # the broker is away


def _persistent(body: bytes) -> aio_pika.Message:
    return aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
