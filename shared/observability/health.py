"""Health that knows the consumers, the database, the outbox and the lag, not only the connection."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from shared.database.pool import Pool
from shared.messaging.outbox import Outbox
from shared.messaging.subscriber import BatchSubscriber
from shared.messaging.unit_of_work import UnitOfWorkFactory

TIMEOUT = 3.0
MAX_OUTBOX = 10_000
"""Messages waiting in the outbox above which something is wrong with publishing."""


async def report(
    subscribers: Sequence[BatchSubscriber], pool: Pool | None, uow_factory: UnitOfWorkFactory
) -> dict[str, Any]:
    """Return `ok` and the parts it is made of: `consumers` by queue, `database` and `outbox`."""
    consumers = {subscriber.consumer.queue: await _consumer(subscriber) for subscriber in subscribers}
    required_for_readiness = [
        subscriber.consumer.queue for subscriber in subscribers if subscriber.consumer.required_for_readiness
    ]
    health: dict[str, Any] = {
        "ok": all(consumers[queue]["ok"] for queue in required_for_readiness),
        "consumers": consumers,
    }
    if pool is not None and isinstance(uow_factory, Outbox):
        health["database"], health["outbox"] = await _database(pool, uow_factory)
        health["ok"] = health["ok"] and health["database"] == "ok" and health["outbox"] < MAX_OUTBOX
    return health


async def _consumer(subscriber: BatchSubscriber) -> dict[str, Any]:
    """Tell how one consumer is; its lag is how old the oldest event of the last batch would be by now."""
    consumer = subscriber.consumer
    held = consumer.paused_since
    idle = None if consumer.last_done is None else time.monotonic() - consumer.last_done
    waiting = await subscriber.depth()
    return {
        "ok": subscriber.alive and held is None,
        "receiving": subscriber.alive,
        "paused_seconds": None if held is None else round(time.monotonic() - held, 1),
        "idle_seconds": None if idle is None else round(idle, 1),
        "waiting": waiting,
        "lag_seconds": round(consumer.lag + (idle or 0.0), 1) if waiting else 0.0,
    }


async def _database(pool: Pool, outbox: Outbox) -> tuple[str, int]:
    try:
        return "ok", await asyncio.wait_for(outbox.pending(), TIMEOUT)
    except Exception as error:  # noqa: BLE001 - whatever it is, health says it
        return f"away: {type(error).__name__}", 0
