"""HTTP: pause, resume and drain a queue of this service; close its circuit breaker by hand."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel

from returpost.amqp.publisher import Publishes
from returpost.contracts import ConsumerDrained, ConsumerPaused, ConsumerResumed, Label
from shared.http.dependencies import Operator
from shared.messaging.control.drain import drain as drain_queue
from shared.messaging.control.pauses import Pauses, message_of
from shared.messaging.dead_letters import fingerprint
from shared.messaging.subscriber import BatchSubscriber

UNDRAINABLE = "replay."
"""Dead letters of replay's own queues would come back to it."""

log = structlog.get_logger()
Why = Annotated[Label, Query(min_length=3, description="Why; it is kept in the audit")]


class Paused(BaseModel):
    """Who paused a queue, when and why."""

    queue: str
    by: str
    why: str
    since: datetime


class Resumed(BaseModel):
    """What was done."""

    queue: str
    was_open: bool
    """Whether the consumer was paused because too many events failed."""
    was_paused: bool
    """Whether an operator had paused it."""


class Drained(BaseModel):
    """What a request has drained; ask again while there is something left."""

    queue: str
    messages: int
    dead_letters: int
    fingerprint: str
    """Of the dead letters."""


def routes(subscribers: Callable[[], Iterable[BatchSubscriber]], pauses: Pauses, publisher: Publishes) -> APIRouter:
    """Return the routes of these consumers. A pause and its end reach all processes of the service."""
    router = APIRouter(prefix="/v1", tags=["consumers"])

    def find(queue: str) -> BatchSubscriber:
        for subscriber in subscribers():
            if subscriber.consumer.queue == queue:
                return subscriber
        raise HTTPException(404, f"this service consumes no queue {queue!r}")

    async def tell(change: ConsumerPaused | ConsumerResumed) -> None:
        await publisher.publish([message_of(change)])
        pauses.apply(change)

    @router.post("/consumers/{queue}/pause")
    async def pause(queue: str, caller: Operator, why: Why) -> Paused:
        """Take nothing more from a queue, in all processes, until it is resumed; restarts change nothing of it.

        What is in hand is finished, or comes again. The service stays ready.
        """
        subscriber = find(queue)
        change = ConsumerPaused(queue=queue, cause="operator", time=datetime.now(UTC), by=caller.name, why=why)
        await tell(change)
        log.info("consumer paused by hand", queue=subscriber.consumer.queue, by=caller.name)
        return Paused(queue=queue, by=change.by, why=change.why, since=change.time)

    @router.post("/consumers/{queue}/resume")
    async def resume(queue: str, caller: Operator, why: Label = "") -> Resumed:
        """Let a consumer go on at once that an operator paused, or of which too many events failed.

        The limits of failures are counted anew. Resume after the cause is mended; else it pauses again at the limit,
        and each failed event until then is a dead letter.
        """
        subscriber = find(queue)
        was_open, was_paused = subscriber.consumer.breaker.is_open, subscriber.pause is not None
        now = datetime.now(UTC)
        await tell(ConsumerResumed(queue=queue, cause="operator", time=now, by=caller.name, why=why))
        log.info("consumer resumed by hand", queue=queue, by=caller.name, was_open=was_open, was_paused=was_paused)
        return Resumed(queue=queue, was_open=was_open, was_paused=was_paused)

    @router.post("/consumers/{queue}/drain")
    async def drain(request: Request, queue: str, caller: Operator, why: Why) -> Drained:
        """Make dead letters of the messages of a paused queue, up to 10,000 a request: they lose nothing.

        Replayed, they come back; replayed into another queue, they are moved; discarded, they are purged and can be
        restored. HTTP 409 while the queue is not paused.
        """
        subscriber = find(queue)
        if queue.startswith(UNDRAINABLE):
            raise HTTPException(409, f"{queue} holds dead letters and reports of them: they cannot become dead letters")
        if subscriber.pause is None:
            raise HTTPException(409, f"{queue} is not paused; pause it first, so that its consumer leaves it alone")
        reason = f"drained by {caller.name}: {why}"
        broker: Any = request.app.state.service.broker
        count, made = await drain_queue(queue, await broker.consuming.connection(), publisher, reason)
        change = ConsumerDrained(queue=queue, time=datetime.now(UTC), messages=count, by=caller.name, why=why)
        await publisher.publish([message_of(change)])
        log.info("queue drained", queue=queue, by=caller.name, messages=count)
        return Drained(queue=queue, messages=count, dead_letters=made, fingerprint=fingerprint(queue, reason, None))

    return router
