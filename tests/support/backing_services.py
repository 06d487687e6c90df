"""The servers of a test run: started when the first test needs them, shared by all workers, stopped by the last."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from deploy.local.backing_services import Backing, start_backing


def versions(backing: Backing) -> str:
    """Say which servers a run has."""
    with psycopg.connect(backing.database_url) as connection:
        postgres = connection.info.parameter_status("server_version")
    overview = httpx.get(f"{backing.management_url}/api/overview", timeout=60).raise_for_status().json()
    return f"RabbitMQ {overview['rabbitmq_version']}, PostgreSQL {postgres}"


@contextmanager
def session_backing(run_folder: Path) -> Iterator[Backing]:
    """Give RabbitMQ and PostgreSQL for this run; in containers with `RETURPOST_TEST_BACKEND=docker`."""
    if os.environ.get("RETURPOST_TEST_BACKEND") == "docker":
        with _containers(run_folder) as backing:
            yield backing
        return
    backing = start_backing(run_folder / "backing")
    if "RETURPOST_DATABASE_URL" not in os.environ:
        _spare_the_disk(backing.database_url)
    try:
        yield backing
    finally:
        backing.stop()


def _spare_the_disk(url: str) -> None:
    """Have the run's own server not wait for the disk: each test makes a database, and none outlives a power cut."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")


@contextmanager
def run_lock(run_folder: Path, name: str) -> Iterator[None]:
    """Let one worker of this run at a time do what is named."""
    with (run_folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _containers(run_folder: Path) -> Iterator[Backing]:
    """A pair of containers a worker: Testcontainers removes them, also after a kill."""
    from testcontainers.postgres import PostgresContainer
    from testcontainers.rabbitmq import RabbitMqContainer

    rabbit = RabbitMqContainer("rabbitmq:4-management", username="returpost-admin", password="for-tests")
    rabbit.with_exposed_ports(5672, 15672)
    with rabbit, PostgresContainer("postgres:18", driver=None) as postgres:
        host = rabbit.get_container_host_ip()
        credentials = "returpost-admin:for-tests"
        yield Backing(
            run_folder,
            f"amqp://{credentials}@{host}:{rabbit.get_exposed_port(5672)}/",
            f"http://{credentials}@{host}:{rabbit.get_exposed_port(15672)}",
            postgres.get_connection_url(),
        )
