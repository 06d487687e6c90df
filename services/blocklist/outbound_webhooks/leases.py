"""Which process posts for which webhook: each is held by one, for a lease at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog

from returpost.amqp.connections import CONNECTION_ERRORS, open_connection
from returpost.amqp.tasks import cancel_and_wait
from services.blocklist.outbound_webhooks import repository
from services.blocklist.outbound_webhooks.delivery_loop import DeliveryContext, LeaseLost, deliver_stream
from services.blocklist.outbound_webhooks.repository import Webhook
from services.blocklist.settings import Settings
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWorkFactory
from shared.outbound.http_sender import HttpSender
from shared.outbound.ssrf_guard import AllowedDestinations
from shared.transient_errors import is_infrastructure

log = structlog.get_logger()

PRUNE_EVERY = timedelta(hours=1)


class DeliveryTasks:
    """The tasks of a process, one a webhook that it holds; another run of the same webhook is another task."""

    def __init__(self, context: DeliveryContext, amqp_url: str, lease: timedelta, keep: timedelta) -> None:
        self._context = context
        self._amqp_url = amqp_url
        self._lease = lease
        self._keep = keep
        self._tasks: dict[tuple[UUID, int], asyncio.Task[None]] = {}
        self._pruned_at = context.clock()

    async def run(self, interval: timedelta) -> None:
        """Post for all webhooks that nobody else posts for, until cancelled."""
        try:
            while True:
                held = await self._held()
                if not held:
                    await self._end(set())
                    await asyncio.sleep(interval.total_seconds())
                    continue
                async with self._connection() as connection:
                    while held and not connection.is_closed:
                        await self._follow(held, connection)
                        await asyncio.sleep(interval.total_seconds())
                        held = await self._held()
        except CONNECTION_ERRORS as error:
            log.warning("webhooks paused: broker unavailable", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(interval.total_seconds())
        finally:
            await self._end(set())
            with contextlib.suppress(Exception):
                await repository.release(self._context.pool, self._context.holder)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with open_connection(self._amqp_url) as connection:
            try:
                yield connection
            finally:
                await self._end(set())

    async def _held(self) -> list[Webhook]:
        now = self._context.clock()
        if now - self._pruned_at > PRUNE_EVERY:
            self._pruned_at = now
            await repository.prune(self._context.pool, now - self._keep)
        return await repository.lease(self._context.pool, self._context.holder, self._lease)

    async def _follow(self, held: list[Webhook], connection: Any) -> None:
        wanted = {(webhook.id, webhook.generation): webhook for webhook in held}
        await self._end(set(wanted))
        for key, webhook in wanted.items():
            if key not in self._tasks:
                name = f"webhook {webhook.name} of {webhook.tenant}"
                self._tasks[key] = asyncio.create_task(deliver_stream(webhook, self._context, connection), name=name)

    async def _end(self, stay: set[tuple[UUID, int]]) -> None:
        """End the tasks that are not to stay, and forget those that have ended."""
        gone = [key for key, task in self._tasks.items() if key not in stay or task.done()]
        for result in await cancel_and_wait(*(self._tasks.pop(key) for key in gone)):
            if not isinstance(result, Exception) or isinstance(result, LeaseLost | ConnectionError):
                continue
            if is_infrastructure(result) or isinstance(result, CONNECTION_ERRORS):
                log.warning(
                    "webhook paused: database or broker unavailable", error=f"{type(result).__name__}: {result}"
                )
            else:
                log.error("posting to a webhook failed, and is tried again", exc_info=result)


async def post_for_all(
    pool: Pool,
    uow_factory: UnitOfWorkFactory,
    allowed: AllowedDestinations,
    settings: Settings,
    clock: Callable[[], datetime],
) -> None:
    """Post for all webhooks that no other process posts for, until cancelled or the broker is away."""
    sender = HttpSender(allowed, settings.webhook_timeout)
    context = DeliveryContext(pool, uow_factory, sender, uuid4(), clock)
    keep = timedelta(days=settings.webhook_log_days)
    url = settings.amqp_url.get_secret_value()
    try:
        await DeliveryTasks(context, url, settings.webhook_lease, keep).run(settings.webhook_interval)
    finally:
        await asyncio.shield(sender.close())
