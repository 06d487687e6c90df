"""The SQL of raw messages, over a database that ingest can do without for a while."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from returpost.errors import InvalidSettings, Unavailable
from services.ingest.raw_messages.domain import unpacked
from shared.database.pool import Connection, Pool, open_pool
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_suffix(".sql"))

Row = asyncpg.Record
AddressKey = tuple[str, str]
"""Tenant and the key of an address."""

SEARCHED = 100
"""Messages that are searched for an address at a time."""
PURGED = 1_000
"""Messages that are removed at a time, so that no lock is held for long."""
HEALTH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Filter:
    """What narrows a list down."""

    outcome: str | None = None
    source: str | None = None
    address: str | None = None
    """Its key."""
    mailing: str | None = None


class RawMessageRepository:
    """The database, opened when it is first needed: ingest takes in what comes while it is away."""

    def __init__(self, url: SecretStr | None, size: int) -> None:
        self._url = url
        self._size = size
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()

    def check(self) -> None:
        """Raise `InvalidSettings` when no database is set."""
        if self._url is None:
            raise InvalidSettings(
                "RETURPOST_DATABASE_URL or RETURPOST_INGEST_DATABASE_URL is not set; "
                "without a database set RETURPOST_INGEST_RAW_MESSAGES_KEEP=0"
            )

    async def pool(self) -> Pool:
        """Return the pool. Raises what says that the database is away."""
        async with self._opening:
            if self._pool is None:
                assert self._url is not None  # noqa: S101 - checked at the start
                self._pool = await open_pool(self._url.get_secret_value(), "ingest", size=self._size)
            return self._pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Give a connection inside a transaction. Raises what says that the database is away."""
        pool = await self.pool()
        async with pool.acquire() as connection, connection.transaction():
            yield connection

    async def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            await self._pool.close()

    async def state(self) -> str:
        """Return `ok`, or what is wrong with the database."""
        try:
            await asyncio.wait_for((await self.pool()).fetchval("SELECT 1"), HEALTH_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, Unavailable) as error:
            return f"away: {type(error).__name__}"
        return "ok"

    async def find(self, tenant: str, id_: UUID) -> Row | None:
        """Return the message with this id, or the one that an event with this id was made of."""
        return await (await self.pool()).fetchrow(Q["find"], tenant, id_)

    async def mentions(self, id_: UUID) -> list[Row]:
        """Return whom a message is about: address, mailing, and the ids of the events."""
        return await (await self.pool()).fetch(Q["mentioned"], id_)

    async def list_page(
        self, tenant: str, wanted: Filter, before: tuple[datetime, UUID] | None, limit: int
    ) -> list[Row]:
        """Return messages without their bodies, the newest first, from a position on."""
        time, last = before or (None, None)
        return await (await self.pool()).fetch(
            Q["page"], tenant, wanted.outcome, wanted.source, wanted.address, wanted.mailing, time, last, limit
        )

    async def purge(self, before: datetime) -> int:
        """Remove what was received before the time, and return how many messages that was."""
        pool, removed = await self.pool(), 0
        while (done := int((await pool.execute(Q["purge"], before, PURGED)).rpartition(" ")[2])) > 0:
            removed += done
        return removed

    async def purge_beyond(self, max_bytes: int) -> int:
        """Remove the oldest messages so that the others take no more bytes; return how many that was."""
        until = await (await self.pool()).fetchval(Q["beyond"], max_bytes)
        return 0 if until is None else await self.purge(until + timedelta(microseconds=1))

    async def stored(self) -> tuple[int, int]:
        """Return how many messages there are, and how many bytes they take."""
        row = await (await self.pool()).fetchrow(Q["stored"])
        assert row is not None  # noqa: S101 - a count has a row
        return row["messages"], row["bytes"]


async def store(
    connection: Connection, messages: Sequence[tuple[Any, ...]], mentions: Sequence[tuple[Any, ...]]
) -> None:
    """Store messages (in the order of the statement's columns) and whom they mention."""
    await connection.execute(Q["store"], *columns(sorted(messages, key=lambda row: row[0]), 9))
    await connection.execute(Q["mention"], *columns(sorted(mentions, key=lambda row: row[:2]), 5))


async def erased(connection: Connection, keys: Sequence[AddressKey]) -> dict[AddressKey, datetime]:
    """Return when each of these was erased, of those that were; no erasure comes in between from here on."""
    await connection.execute(Q["share_addresses"])
    rows = await connection.fetch(Q["erased"], *columns(sorted(set(keys)), 2))
    return {(row["tenant"], row["address"]): row["erased_at"] for row in rows}


async def erase(connection: Connection, times: Mapping[AddressKey, datetime]) -> None:
    """Remove every message about these addresses, and those that nobody could read and that name one of them."""
    await connection.execute(Q["hold_addresses"])
    rows = [(*address, times[address]) for address in sorted(times)]
    await connection.execute(Q["note_erasures"], *columns(rows, 3))
    await connection.execute(Q["forget"], *columns(sorted(times), 2))
    for tenant in {tenant for tenant, _ in times}:
        await _forget_unread(connection, tenant, [address for owner, address in times if owner == tenant])


async def _forget_unread(connection: Connection, tenant: str, addresses: Sequence[str]) -> None:
    names = [address.encode() for address in addresses]
    last = UUID(int=0)
    while rows := await connection.fetch(Q["unread"], tenant, last, SEARCHED):
        texts = [(row["id"], unpacked(row["body"]).lower()) for row in rows]
        await connection.execute(Q["remove"], [id_ for id_, text in texts if any(name in text for name in names)])
        last = rows[-1]["id"]
