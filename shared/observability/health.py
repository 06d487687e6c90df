"""Health that knows broker, consumers, database, outbox and lag, and answers within a second whatever hangs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from returpost.amqp.connections import CONNECTION_ERRORS
from returpost.errors import Unavailable
from shared.database.pool import Pool
from shared.messaging.broker import Broker
from shared.messaging.control.circuit_breaker import CircuitBreaker
from shared.messaging.outbox import Outbox
from shared.messaging.subscriber import BatchSubscriber
from shared.messaging.unit_of_work import UnitOfWorkFactory

TIMEOUT = 0.8
"""Seconds for each part, all asked at once: whoever probes waits for a second."""
MAX_OUTBOX = 10_000
"""Messages waiting in the outbox above which something is wrong with publishing."""


class Failing(BaseModel):
    """Too many events of a queue fail; one is tried again from time to time."""

    seconds: float
    error: str
    """Type of the last failure's exception."""
    fingerprint: str
    """Of its dead letter."""
    event_id: str


class PausedBy(BaseModel):
    """An operator paused the consumer."""

    by: str
    why: str
    since: datetime


class ConsumerHealth(BaseModel):
    """One consumer."""

    ok: bool
    receiving: bool
    paused_seconds: float | None
    """Because the database or the broker is away."""
    failing: Failing | None
    """Why it takes nothing though all is there: too many events failed."""
    paused_by: PausedBy | None
    """Who paused it by hand; the service is ready all the same."""
    idle_seconds: float | None
    waiting: int | None
    """Messages in the queue; none when the broker did not say."""
    lag_seconds: float


class Health(BaseModel):
    """Whether a service can do its work now, and what it knows of its parts."""

    model_config = ConfigDict(extra="allow")

    ok: bool
    broker: str
    """`ok`, or what is wrong."""
    consumers: dict[str, ConsumerHealth]
    """By queue."""
    database: str | None = None
    """`ok`, or what is wrong."""
    outbox: int | None = None
    """Messages committed and not yet known to be published."""


async def report(
    broker: Broker, subscribers: Sequence[BatchSubscriber], pool: Pool | None, uow_factory: UnitOfWorkFactory
) -> dict[str, Any]:
    """Return `ok` and the parts it is made of: `broker`, `consumers` by queue, `database` and `outbox`."""
    outbox = uow_factory if pool is not None and isinstance(uow_factory, Outbox) else None
    database, state, depths = await asyncio.gather(
        _database(outbox) if outbox else _no_database(), broker.state(), _depths(broker, subscribers)
    )
    consumers = {one.consumer.queue: _consumer(one, depths.get(one.consumer.queue)) for one in subscribers}
    # What an operator has paused is as it shall be: the service's API goes on.
    required = [one.consumer.queue for one in subscribers if one.consumer.required_for_readiness and one.pause is None]
    health: dict[str, Any] = {
        "ok": state == "ok" and all(consumers[queue]["ok"] for queue in required),
        "broker": state,
        "consumers": consumers,
    }
    if database is not None:
        health["database"], health["outbox"] = database
        health["ok"] = health["ok"] and health["database"] == "ok" and health["outbox"] < MAX_OUTBOX
    return health


async def look_within(look: Callable[[], Awaitable[Any]]) -> Any:
    """Return what a part says of itself, or that it does not answer."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await look()
    except TimeoutError:
        return {"error": f"no answer within {TIMEOUT} s"}


def _consumer(subscriber: BatchSubscriber, waiting: int | None) -> dict[str, Any]:
    """Tell how one consumer is; its lag is how old the oldest event of the last batch would be by now."""
    consumer = subscriber.consumer
    held = consumer.paused_since
    idle = None if consumer.last_done is None else time.monotonic() - consumer.last_done
    return {
        "ok": subscriber.alive and held is None and not consumer.breaker.is_open,
        "receiving": subscriber.alive,
        "paused_seconds": None if held is None else round(time.monotonic() - held, 1),
        "failing": _failing(consumer.breaker),
        "paused_by": _paused_by(subscriber),
        "idle_seconds": None if idle is None else round(idle, 1),
        "waiting": waiting,
        "lag_seconds": round(consumer.lag + (idle or 0.0), 1) if waiting else 0.0,
    }


def _paused_by(subscriber: BatchSubscriber) -> dict[str, Any] | None:
    pause = subscriber.pause
    return None if pause is None else {"by": pause.by, "why": pause.why, "since": pause.time.isoformat()}


def _failing(breaker: CircuitBreaker) -> dict[str, Any] | None:
    opened, last = breaker.opened_at, breaker.last
    if opened is None or last is None:
        return None
    return {"seconds": round(time.monotonic() - opened, 1), **asdict(last)}


async def _depths(broker: Broker, subscribers: Sequence[BatchSubscriber]) -> Mapping[str, int]:
    try:
        async with asyncio.timeout(TIMEOUT):
            return await broker.depths([subscriber.consumer.queue for subscriber in subscribers])
    except (Unavailable, *CONNECTION_ERRORS):
        return {}


async def _no_database() -> None:
    """A stateless service has none."""


async def _database(outbox: Outbox) -> tuple[str, int]:
    try:
        return "ok", await asyncio.wait_for(outbox.pending(), TIMEOUT)
    except Exception as error:  # noqa: BLE001 - whatever it is, health says it
        return f"away: {type(error).__name__}", 0
