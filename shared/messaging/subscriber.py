"""A subscriber: one queue on a channel of its own, whose messages go to a `Consumer`; the prefetch fits their size."""

import asyncio
import signal
from typing import Any

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractQueue
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

from shared.messaging.consumer import MAX_BYTES, Consumer
from shared.observability.metrics import PREFETCH

log = structlog.get_logger()

FIRST_PREFETCH = 8
"""Before the size of the messages is known: eight of the largest allowed still fit into memory."""
MAX_PREFETCH = 1_000
DEPTH_TIMEOUT = 2.0
REFIT_TIMEOUT = 30.0
"""Seconds to consume anew; a broker that dies meanwhile may never answer, and then the process starts anew instead."""


class BatchSubscriber:
    """Hands the raw messages of a queue to a `Consumer`, and fits the prefetch to their size.

    On a robust connection channel, queue and consumer are restored after a reconnect.
    """

    def __init__(self, consumer: Consumer[Any], exchange: str) -> None:
        self.consumer = consumer
        self.exchange = exchange
        """Where the queue is bound; for the documents."""
        self._channel: AbstractChannel | None = None
        self._queue: AbstractQueue | None = None
        self._consumer_tag: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._prefetch = FIRST_PREFETCH
        self._mean_bytes = 0.0
        self._refitting = False

    async def start(self, connection: AbstractConnection) -> None:
        """Start to process, then to receive. Declares nothing."""
        self._task = asyncio.create_task(self.consumer.run(self._fit_prefetch), name=self.consumer.queue)
        self._task.add_done_callback(_end_with)
        self._channel = channel = await connection.channel()
        await channel.set_qos(prefetch_count=FIRST_PREFETCH)
        self._queue = await channel.get_queue(self.consumer.queue, ensure=False)
        self._consumer_tag = await self._queue.consume(self._take)

    async def stop(self) -> None:
        """Stop receiving, finish the batch in hand, then go."""
        queue, tag = self._queue, self._consumer_tag
        self._consumer_tag = None
        if queue is not None and tag is not None and not queue.channel.is_closed:
            await queue.cancel(tag)
        self.consumer.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._queue = None

    @property
    def alive(self) -> bool:
        """Whether messages are being received and processed."""
        receiving = self._consumer_tag is not None or self._refitting
        return receiving and self._task is not None and not self._task.done()

    async def depth(self) -> int | None:
        """Return how many messages wait in the queue, or nothing when the broker is away."""
        try:
            queue, channel = self._queue, self._channel
            if queue is None or channel is None:
                return None
            declared = await asyncio.wait_for(channel.declare_queue(queue.name, passive=True), DEPTH_TIMEOUT)
            return declared.declaration_result.message_count
        except (*CONNECTION_EXCEPTIONS, TimeoutError, RuntimeError):
            return None

    async def _take(self, message: Any) -> None:
        """Take one message; it is acknowledged with its batch."""
        self.consumer.arrive(message)

    async def _fit_prefetch(self, messages: int, size: int) -> None:
        """Aim at `MAX_BYTES` of messages in flight, whatever the size of each.

        A prefetch counts for consumers that begin after it was set (https://www.rabbitmq.com/docs/consumer-prefetch).
        """
        mean = size / messages
        self._mean_bytes = mean if not self._mean_bytes else 0.8 * self._mean_bytes + 0.2 * mean
        wanted = max(4, min(MAX_PREFETCH, int(MAX_BYTES / max(1.0, self._mean_bytes))))
        if self._prefetch / 2 < wanted < self._prefetch * 2:
            return
        queue, tag, channel = self._queue, self._consumer_tag, self._channel
        if queue is None or tag is None or channel is None or queue.channel.is_closed:
            return
        self._consumer_tag, self._refitting = None, True
        try:
            async with asyncio.timeout(REFIT_TIMEOUT):
                await queue.cancel(tag)
                await channel.set_qos(prefetch_count=wanted)
                self._consumer_tag = await queue.consume(self._take)
        finally:
            self._refitting = False
        self._prefetch = wanted
        PREFETCH.labels(self.consumer.queue).set(wanted)


def _end_with(task: asyncio.Task[None]) -> None:
    """End the process when a consumer ends by a fault of ours: whoever supervises it starts it anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the consumer failed; the service stops", queue=task.get_name(), exc_info=error)
        signal.raise_signal(signal.SIGTERM)
