"""Effects: state and events change together, or not at all.

What must be published is written to the outbox in the transaction that changes the state, published with confirms after
the commit, and then deleted. A crash in between leaves rows, which the relay publishes; whoever gets an event twice
recognises its id.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog

from returpost.amqp.publisher import Message, Publishes, merge
from returpost.errors import Unavailable
from shared.database.pool import Connection, Pool
from shared.messaging.dead_letters import publish_or_dead_letter
from shared.messaging.unit_of_work import HOLDS, UnitOfWork
from shared.observability.metrics import OUTBOX_ROWS

ANSWER_WITHIN = 2.0
"""Seconds that a request waits for RabbitMQ, once its change is committed."""
RELAY_BATCH = 100
RELAY_INTERVAL = 5.0
ABANDONED_AFTER = "15 seconds"
"""Rows older than this are nobody's: their writer has died or lost the broker."""

log = structlog.get_logger()

_INSERT = """
    INSERT INTO outbox (exchange, routing_key, body, content_type, headers)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::jsonb[])
    RETURNING id
"""
_DELETE = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
_TAKE = f"""
    SELECT id, exchange, routing_key, body, content_type, headers FROM outbox
    WHERE written_at < clock_timestamp() - $1::text::interval
    ORDER BY id LIMIT {RELAY_BATCH} FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - a constant of this module


class Outbox:
    """For services with a database: one transaction, then the events."""

    def __init__(self, pool: Pool, publisher: Publishes) -> None:
        self._pool = pool
        self._publisher = publisher

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Give a `UnitOfWork` in a transaction; commit and publish at the end.

        Raises what the database raises; then nothing has happened. Raises `Unavailable` when the commit is done but
        RabbitMQ did not confirm, where the work `HOLDS`; elsewhere what is committed has been accepted. The events are
        in the outbox, and `drain` publishes them.
        """
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                work = UnitOfWork(connection)
                yield work
                messages = merge(work.outgoing)
                ids = await self._insert(connection, messages)
            for call in work.committed:
                call()
            if messages and await self._publish(messages):
                await self._delete(connection, ids)

    async def drain(self, older_than: str = ABANDONED_AFTER) -> int:
        """Publish what is left over and older than the interval; return how many messages that was."""
        published = 0
        while True:
            async with self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(_TAKE, older_than)
                messages = [
                    Message(row["exchange"], row["routing_key"], row["body"], row["content_type"], _headers(row))
                    for row in rows
                ]
                await publish_or_dead_letter(self._publisher, messages)
                await connection.execute(_DELETE, [row["id"] for row in rows])
            published += len(rows)
            if len(rows) < RELAY_BATCH:
                return published

    async def drain_all(self) -> None:
        """Publish what is left over, however young: after a confirm that never came."""
        await self.drain("0 seconds")

    async def relay(self) -> None:
        """One round of the relay: publish what nobody else will, then wait."""
        await self.drain()
        await self.pending()
        await asyncio.sleep(RELAY_INTERVAL)

    async def pending(self) -> int:
        """Count the rows that wait; also shown as a metric."""
        rows: int = await self._pool.fetchval("SELECT count(*) FROM outbox")
        OUTBOX_ROWS.set(rows)
        return rows

    async def _publish(self, messages: Sequence[Message]) -> bool:
        try:
            async with asyncio.timeout(None if HOLDS.get() else ANSWER_WITHIN):
                await publish_or_dead_letter(self._publisher, messages)
        except (Unavailable, TimeoutError) as error:
            if HOLDS.get():
                raise
            log.warning("committed; its events are published later", error=type(error).__name__)
            return False
        return True

    async def _insert(self, connection: Connection, messages: Sequence[Message]) -> list[int]:
        if not messages:
            return []
        rows = await connection.fetch(
            _INSERT,
            [message.exchange for message in messages],
            [message.routing_key for message in messages],
            [message.body for message in messages],
            [message.content_type for message in messages],
            [json.dumps(dict(message.headers)) for message in messages],
        )
        return [row["id"] for row in rows]

    async def _delete(self, connection: Connection, ids: list[int]) -> None:
        # Losing this delete in a crash publishes once more, which does no harm: not worth a flush to disk.
        async with connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = off")
            await connection.execute(_DELETE, ids)


def _headers(row: asyncpg.Record) -> dict[str, Any]:
    headers: dict[str, Any] = json.loads(row["headers"])
    return headers
