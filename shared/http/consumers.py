"""HTTP: close the circuit breaker of a queue by hand."""

from collections.abc import Callable, Iterable

import structlog
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from shared.http.dependencies import Operator
from shared.messaging.subscriber import BatchSubscriber

log = structlog.get_logger()


class Resumed(BaseModel):
    """What was done."""

    queue: str
    was_open: bool
    """Whether the consumer was paused because too many events failed."""


def routes(subscribers: Callable[[], Iterable[BatchSubscriber]]) -> APIRouter:
    """Return the route that resumes one of these consumers, of this process."""
    router = APIRouter(prefix="/v1", tags=["consumers"])

    @router.post("/consumers/{queue}/resume")
    async def resume(queue: str, caller: Operator) -> Resumed:
        """Let a consumer that paused because too many events failed go on at once, with its limits counted anew.

        Resume after the cause is mended; else it pauses again at the limit, and each failed event until then is a dead
        letter.
        """
        for subscriber in subscribers():
            if subscriber.consumer.queue == queue:
                breaker = subscriber.consumer.breaker
                was_open = breaker.is_open
                breaker.resume()
                log.info("consumer resumed by hand", queue=queue, by=caller.name, was_open=was_open)
                return Resumed(queue=queue, was_open=was_open)
        raise HTTPException(404, f"this service consumes no queue {queue!r}")

    return router
