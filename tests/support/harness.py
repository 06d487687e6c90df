"""What one test runs in: its own vhost with the topology, its own migrated database, and the services it asks for."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import httpx
from aio_pika.abc import AbstractConnection

from returpost.contracts.cloudevents import BATCHED, Event, encode
from returpost.contracts.routing import COMMANDS, EVENTS, routing_key
from shared.database.pool import Pool
from shared.http.auth import ALL_TENANTS, SCOPES, issue
from shared.service import Service
from shared.settings import ServiceSettings
from shared.transient_errors import is_infrastructure

TENANT = "acme"
TOKEN_KEY = "a-key-for-tests-of-sufficient-length"
PATIENCE = 30.0
"""Seconds until a test gives up on an event; it goes on as soon as the event is there."""

LEFT = """
    SELECT 'setting ' || name FROM pg_settings WHERE source = 'session' AND setting <> reset_val
    UNION ALL SELECT 'lock' FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'
    UNION ALL SELECT 'listening' FROM pg_listening_channels()
    UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r'
    UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable
"""
"""What of a connection outlives its transactions."""

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], accept: Callable[[T], bool] = bool) -> T:
    """Look until what is seen is accepted. Raises `AssertionError` with the last thing that was seen."""
    interval = 0.01
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        seen = await look()
        if accept(seen):
            return seen
        assert asyncio.get_running_loop().time() < deadline, f"still {seen!r} after {PATIENCE} s"
        await asyncio.sleep(interval)
        interval = min(0.2, interval * 1.5)


async def left_behind(pool: Pool) -> list[str]:
    """Return what connections that were given back still hold for whoever gets them next: the pool resets nothing."""
    try:
        async with AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_idle_size())]
            return [str(row[0]) for connection in idle for row in await connection.fetch(LEFT)]
    except Exception as error:
        if not is_infrastructure(error):
            raise
        return []  # the test has taken the server away


@dataclass
class Harness:
    """Where one test lives."""

    amqp_url: str
    management_url: str
    """With the credentials, without the vhost."""
    vhost: str
    database_urls: dict[str, str]
    admin_url: str
    broker: AbstractConnection
    channel: aio_pika.abc.AbstractChannel

    @asynccontextmanager
    async def running(
        self, create: Callable[..., Service[S]], kind: type[S], name: str, *args: Any, **settings: Any
    ) -> AsyncIterator["RunningService"]:
        """Run a service in this process until the block ends, with its own database role."""
        given: dict[str, Any] = {"amqp_url": self.amqp_url, "token_keys": TOKEN_KEY, "http_port": 0} | settings
        if name in self.database_urls:
            given.setdefault("database_url", self.database_urls[name])
        service = create(kind(**given), *args)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(service.app.router.lifespan_context(service.app))
            http = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=service.app),
                base_url=f"http://{name}",
                headers={"Authorization": f"Bearer {self.token(tenant=ALL_TENANTS if name == 'replay' else TENANT)}"},
            )
            yield RunningService(service, await stack.enter_async_context(http))
            if service._pool is not None:
                left = await left_behind(service._pool)
                assert not left, f"connections of {name} were given back with {left}"

    def token(self, *, tenant: str = TENANT, scopes: tuple[str, ...] = SCOPES) -> str:
        """Return an API token."""
        return issue(TOKEN_KEY, name="test", tenant=tenant, scopes=scopes, lifetime=timedelta(hours=1))

    async def send(self, *events: Event[Any], detail: str | None = None, exchange: str = EVENTS) -> None:
        """Publish events of one type as one message, with a confirm."""
        body, content_type = encode(events)
        first = events[0]
        await self.publish(exchange, routing_key(first.type, first.tenant, detail), body, content_type)

    async def command(self, *events: Event[Any], detail: str | None = None) -> None:
        """Publish commands of one type, or a sender's results, as one message."""
        await self.send(*events, detail=detail, exchange=COMMANDS)

    async def publish(self, exchange: str, key: str, body: bytes, content_type: str = BATCHED, **headers: Any) -> None:
        """Publish bytes as they are."""
        target = await self.channel.get_exchange(exchange, ensure=False)
        user = urlsplit(self.amqp_url).username  # the services' own: what it says is believed
        await target.publish(aio_pika.Message(body, content_type=content_type, headers=headers, user_id=user), key)

    async def depth(self, queue: str) -> int:
        """Return how many messages are ready in a queue."""
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def take(self, queue: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
        """Take, with acknowledgement, all messages that are ready in a queue."""
        declared = await self.channel.declare_queue(queue, passive=True)
        taken = []
        while (message := await declared.get(fail=False)) is not None:
            await message.ack()
            taken.append(message)
        return taken

    async def take_events(self, queue: str) -> list[dict[str, Any]]:
        """Take all events that are ready in a queue, as plain values."""
        values = [json.loads(message.body) for message in await self.take(queue)]
        return [event for value in values for event in (value if isinstance(value, list) else [value])]

    async def unacknowledged(self, *services: str) -> int:
        """Return how many messages are in the queues of services that run, ready or in hand (management API: some
        seconds old, so that it also says 0 too early)."""
        async with httpx.AsyncClient(base_url=self.management_url) as http:
            queues = (await http.get(f"/api/queues/{self.vhost}")).raise_for_status().json()
        return sum(
            q.get("messages", 0)
            for q in queues
            if q.get("type") != "stream" and q["name"].partition(".")[0] in services
        )

    async def fetch(self, service: str, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Query the tables of a service."""
        connection = await asyncpg.connect(self.admin_url, server_settings={"search_path": service})
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()


@dataclass
class RunningService:
    """A service that runs in this process."""

    service: Service[Any]
    http: httpx.AsyncClient
