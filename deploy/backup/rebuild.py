"""The blocklist built anew: a schema beside the live one, the archive read into it, and what differs taken over."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import psycopg
from psycopg import sql

from deploy.database import SERVICES, migrations_of
from returpost.amqp.archive import EPOCH, LATE, ArchivedMessage
from returpost.amqp.connections import open_connection
from returpost.amqp.publisher import Message
from returpost.cli.env_config import setting
from returpost.cli.installation import Installation
from returpost.contracts.routing import EVENTS
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from services.blocklist.address_state.rebuild.rebuild import READ, ArchivedBody, Comparison, Rebuild
from services.blocklist.address_state.reevaluate import Changes
from services.replay.domain.archive_selection import time_of
from services.replay.domain.selection import accepts
from services.replay.runner.segments import Segments
from services.replay.runner.whole_archive import WholeArchive
from shared.database.migrations import migrate
from shared.database.pool import Pool
from shared.messaging.outbox import Outbox

LIVE = "blocklist"
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
COMMAND_SECONDS = 3600.0
"""A comparison reads both tables."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the rebuild works."""

    database_url: str
    """Of the administrator, who owns the schemas."""
    amqp_url: str
    new: str
    segments: Path | None = None
    """Folder of the archive's older part, if there is one."""

    @classmethod
    def of(cls, directory: Path, new: str) -> "Places":
        """Return what the environment or the running installation says. Raises `InvalidSettings`."""
        if not _NAME.fullmatch(new) or new in SERVICES:
            raise InvalidSettings("--into: lower-case letters, digits and underscores; no service's name")
        running = Installation(directory).running()
        database = setting("BLOCKLIST_DATABASE_URL") or setting("DATABASE_URL")
        database = database or (running.database_url if running else None)
        amqp = setting("AMQP_URL") or (running.amqp_url if running else None)
        if database is None or amqp is None:
            raise InvalidSettings("RETURPOST_DATABASE_URL or RETURPOST_AMQP_URL is not set, and nothing runs here")
        folder = setting("REPLAY_ARCHIVE_FOLDER")
        return cls(database, amqp, new, Path(folder) if folder else None)


class _Nobody:
    """Publishes nothing."""

    async def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Refuse."""
        raise Unavailable(f"{len(messages)} messages are left to the service")


class _LeftToService(Outbox):
    """What changes is told by the service, whose outbox it is in: RabbitMQ knows by the user who publishes."""

    async def _publish(self, messages: Sequence[Message]) -> bool:
        return False


async def run(
    places: Places, sample: int, approve: Callable[[Comparison], bool], why: str
) -> tuple[Comparison, Changes | None]:
    """Compare, and take over what differs if that is approved; return what was found, and what that changed."""
    async with open_connection(places.amqp_url) as broker, _new_schema(places):
        reader = _Reader(WholeArchive(broker, Segments(places.segments) if places.segments else None))
        async with _pool(places.database_url, places.new) as new, _pool(places.database_url, LIVE) as live:
            since = await reader.begins() + LATE
            rebuild = Rebuild(new, LIVE, places.new, since, lambda: datetime.now(UTC))
            await rebuild.begin()
            await rebuild.read(reader.read())
            found = await rebuild.compare(reader.read, sample)
            if not approve(found):
                return found, None
            return found, await rebuild.take_over(_LeftToService(live, _Nobody()), found, uuid4(), "rebuild", why)


@dataclass
class _Reader:
    """Reads the archive to its end, and on from there."""

    archive: WholeArchive
    offset: int | None = None

    async def begins(self) -> datetime:
        """Return the time of the oldest event. Raises `ReturpostError` when there is none."""
        async with aclosing(self.archive.read(since=EPOCH, offset=None)) as messages:
            async for message in messages:
                if times := [moment for event in message.events if (moment := time_of(event))]:
                    return min(times)
        raise ReturpostError("the archive is empty: there is nothing to build from")

    async def read(self) -> AsyncIterator[ArchivedBody]:
        """Yield the messages since the last time, each with the queue of the blocklist that takes it."""
        async with aclosing(self.archive.read(since=EPOCH, offset=self.offset, containing=_NONE)) as messages:
            async for message in messages:
                self.offset = message.offset + 1
                yield ArchivedBody(_queue_of(message), message.routing_key, message.body)


_NONE = b"\xff no message has this"
"""The bodies are read here, by the contracts."""


def _queue_of(message: ArchivedMessage) -> str | None:
    return next((queue for queue in READ if accepts(queue, EVENTS, message.routing_key)), None)


@asynccontextmanager
async def _new_schema(places: Places) -> AsyncIterator[None]:
    """Make the schema, with the tables of the service; remove it in the end."""
    await asyncio.to_thread(_make, places)
    try:
        yield
    finally:
        await asyncio.to_thread(_drop, places)


def _make(places: Places) -> None:
    with _admin(places) as admin:
        known = admin.execute("SELECT FROM pg_namespace WHERE nspname = %s", (places.new,)).fetchone()
        if known is not None:
            raise InvalidSettings(f"--into: there is a schema {places.new}; name another, or remove it")
        admin.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(places.new)))
    migrate(places.database_url, places.new, migrations_of(LIVE))


def _drop(places: Places) -> None:
    with _admin(places) as admin:
        admin.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(places.new)))


def _admin(places: Places) -> Any:
    try:
        return psycopg.connect(places.database_url, connect_timeout=10, autocommit=True)
    except psycopg.OperationalError as error:
        raise Unavailable(f"PostgreSQL does not answer: {str(error).strip()}") from None


@asynccontextmanager
async def _pool(url: str, schema: str) -> AsyncIterator[Pool]:
    settings = {"search_path": schema, "application_name": "returpost-rebuild", "timezone": "UTC", "jit": "off"}
    async with asyncpg.create_pool(
        url, min_size=1, max_size=2, command_timeout=COMMAND_SECONDS, server_settings=settings
    ) as pool:
        yield pool
