"""Effects: state and events change together, or not at all.

What must be published is written to the outbox in the transaction that changes the state, published with confirms after
the commit, and then deleted. A crash in between leaves rows, which the relay publishes; whoever gets an event twice
recognises its id.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg

from shared.cloudevents import AnyEvent, Event
from shared.database import Connection, Pool
from shared.deadletters import dead_letter
from shared.errors import ReturpostError
from shared.faults import is_infrastructure
from shared.metrics import OUTBOX_ROWS, PUBLISHED
from shared.publisher import Message, Outgoing, Publishes, merge
from shared.topology import COMMANDS, DEAD, EVENTS, routing_key

RELAY_BATCH = 100
RELAY_INTERVAL = 5.0
GATHERING = 0.0005
"""Seconds for each work beyond one that the last publishing had together, until the next: what many share costs each
little, and with 30 in one 2,000 works a second take a tenth of the broker's time for one alone (bench/webhooks.py)."""
LONGEST_GATHERING = 0.015
MOST_IN_FLIGHT = 8
"""Publishings whose confirms have not come: a broker that is slow is given more at a time, not more often."""
ABANDONED_AFTER = "15 seconds"
"""Rows older than this are nobody's: their writer has died or lost the broker."""

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


class Work:
    """One batch in hand: the connection of its transaction, and what it wants to publish."""

    def __init__(self, connection: Connection | None = None) -> None:
        self._connection = connection
        self.outgoing: list[Outgoing] = []
        self.refused: list[tuple[Event[Any], str]] = []

    @property
    def connection(self) -> Connection:
        """The connection, inside the transaction. Raises `ReturpostError` in a service without a database."""
        if self._connection is None:
            raise ReturpostError("this service was set up without a database")
        return self._connection

    def emit(self, event: AnyEvent, detail: str | None = None) -> None:
        """Publish this event when the transaction has committed."""
        self.outgoing.append(Outgoing(event, EVENTS, routing_key(event.type, event.tenant, detail)))

    def refuse(self, event: Event[Any], error: str) -> None:
        """Put this event among the dead letters when the transaction has committed; the others go on."""
        self.refused.append((event, error))

    def command(self, event: AnyEvent, receiver: str | None = None) -> None:
        """Publish this command when the transaction has committed."""
        self.outgoing.append(Outgoing(event, COMMANDS, routing_key(event.type, event.tenant, receiver)))


class Effects(Protocol):
    """How a batch takes effect."""

    def begin(self) -> Any:
        """Return an async context manager that gives a `Work`; when it ends well, all effects are in place."""
        ...


class Direct:
    """For services that keep no state: the effects are the events alone.

    Works that end at about the same time are published together, in as few messages as all of them need: a confirm
    costs more than what it confirms. Each waits for its own. The next are sent without waiting for the last ones'
    confirms: whoever waits for these too answers in bursts, is asked in bursts then, and waits longer each time.
    """

    def __init__(self, publisher: Publishes) -> None:
        self._publisher = publisher
        self._gathered: list[tuple[list[Outgoing], asyncio.Future[None]]] = []
        self._gathering: asyncio.Task[None] | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self.waiting = 0
        """How many works wait for their confirms: while there are many, what can be done later should be."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Work]:
        """Give a `Work`; publish with confirms at the end. Raises `Unavailable`."""
        work = Work()
        yield work
        if work.outgoing:
            done = asyncio.get_running_loop().create_future()
            self._gathered.append((work.outgoing, done))
            if self._gathering is None:
                self._gathering = asyncio.create_task(self._publish_all(), name="publishing")
            self.waiting += 1
            try:
                await done
            finally:
                self.waiting -= 1

    async def _publish_all(self) -> None:
        try:
            while self._gathered:
                together, self._gathered = self._gathered, []
                one = asyncio.create_task(self._publish(together), name="publishing together")
                self._in_flight.add(one)
                one.add_done_callback(self._in_flight.discard)
                await asyncio.sleep(min(LONGEST_GATHERING, (len(together) - 1) * GATHERING))
                if len(self._in_flight) >= MOST_IN_FLIGHT:
                    await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._gathering = None

    async def _publish(self, together: list[tuple[list[Outgoing], asyncio.Future[None]]]) -> None:
        try:
            await publish_or_bury(self._publisher, merge(item for outgoing, _ in together for item in outgoing))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            if len(together) > 1 and not is_infrastructure(error):  # one of them cannot be published: which?
                for one in together:
                    await self._publish([one])
                return
            for _, done in together:
                if not done.done():
                    done.set_exception(error)
            return
        for _, done in together:
            if not done.done():
                done.set_result(None)


class Outbox:
    """For services with a database: one transaction, then the events."""

    def __init__(self, pool: Pool, publisher: Publishes) -> None:
        self._pool = pool
        self._publisher = publisher

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Work]:
        """Give a `Work` in a transaction; commit and publish at the end.

        Raises what the database raises; then nothing has happened. Raises `Unavailable` when the commit is done but
        RabbitMQ did not confirm: the events are in the outbox, and `drain` publishes them.
        """
        async with self._pool.acquire() as connection:
            async with connection.transaction():
                work = Work(connection)
                yield work
                messages = merge(work.outgoing)
                ids = await self._insert(connection, messages)
            if messages:
                await publish_or_bury(self._publisher, messages)
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
                await publish_or_bury(self._publisher, messages)
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


async def publish_or_bury(publisher: Publishes, messages: Sequence[Message]) -> None:
    """Publish; what no queue wants (a retry command for a sender without a queue) goes to the dead letters."""
    if not messages:
        return
    returned = await publisher.publish(messages)
    PUBLISHED.inc(len(messages) - len(returned))
    if returned:
        await publisher.publish([_unroutable(message) for message in returned if message.exchange != DEAD])


def _unroutable(message: Message) -> Message:
    return dead_letter(
        message.body,
        queue="",
        exchange=message.exchange,
        routing_key=message.routing_key,
        content_type=message.content_type,
        headers=message.headers,
        error=f"no queue takes {message.routing_key} of {message.exchange}; is the sender declared?",
    )


def _headers(row: asyncpg.Record) -> dict[str, Any]:
    headers: dict[str, Any] = json.loads(row["headers"])
    return headers
