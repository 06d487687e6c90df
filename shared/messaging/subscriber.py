"""A subscriber: one queue on a channel of its own, whose messages go to a `Consumer`; the prefetch fits their size."""

import asyncio
import signal
from typing import Any, cast

import aiormq
import structlog
from aio_pika import IncomingMessage
from aio_pika.abc import AbstractChannel
from aiormq.abc import DeliveredMessage

from returpost.amqp.connections import CONNECTION_ERRORS, open_channel
from returpost.amqp.tasks import cancel_and_wait
from returpost.contracts import ConsumerPaused
from shared.messaging.broker import Link, back_off
from shared.messaging.consumer import MAX_BYTES, Consumer
from shared.observability.metrics import PREFETCH, STOPPED

log = structlog.get_logger()

FIRST_PREFETCH = 8
"""Before the size of the messages is known: eight of the largest allowed still fit into memory."""
MAX_PREFETCH = 1_000
CONSUME_TIMEOUT = 30.0
CANCEL_TIMEOUT = 5.0
"""Seconds for the broker to begin and to stop sending; past them the channel is opened anew."""


class BatchSubscriber:
    """Hands the raw messages of a queue to a `Consumer`, and fits the prefetch to their size.

    One task opens the channel, consumes, fits the prefetch, and begins again when the channel closes or the broker
    ends the consumer (a queue deleted, its leader lost). What was not acknowledged then comes again.
    """

    def __init__(self, consumer: Consumer[Any], exchange: str) -> None:
        self.consumer = consumer
        self.exchange = exchange
        """Where the queue is bound; for the documents."""
        self.pause: ConsumerPaused | None = None
        """Who paused it, and why."""
        self._task: asyncio.Task[None] | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._stopping = False
        self._silent = asyncio.Event()
        """The broker sends nothing."""
        self._silent.set()
        self._began = asyncio.Event()
        self._finished = asyncio.Event()
        """The last batch is done: the channel is not needed any longer."""
        self._wake = asyncio.Event()
        """Something has changed: the wanted prefetch, the channel, or that it shall stop."""
        self._tries = 0
        self._prefetch = FIRST_PREFETCH
        self._wanted = FIRST_PREFETCH
        self._mean_bytes = 0.0

    async def start(self, link: Link) -> None:
        """Start to process, and to receive; returns when the broker sends. Declares nothing."""
        queue = self.consumer.queue
        self._task = asyncio.create_task(self.consumer.run(self._fit_prefetch), name=queue)
        self._receiver = asyncio.create_task(self._receive(link), name=f"{queue} receiver")
        for task in (self._task, self._receiver):
            task.add_done_callback(_end_with)
        await self._began.wait()

    async def stop(self) -> None:
        """Stop receiving, finish the batch in hand and acknowledge it, then go."""
        self._stopping = True
        self._wake.set()
        await self._silent.wait()
        self.consumer.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._finished.set()
        if self._receiver is not None:
            await cancel_and_wait(self._receiver)

    def set_pause(self, pause: ConsumerPaused | None) -> None:
        """Take nothing until it is set to None again; what is in hand goes back to the queue with the channel."""
        self.pause = pause
        STOPPED.labels(self.consumer.queue).set(pause is not None)
        self.consumer.breaker.wake()  # what it holds has gone back
        self._wake.set()

    @property
    def alive(self) -> bool:
        """Whether messages are being received and processed."""
        return not self._silent.is_set() and self._task is not None and not self._task.done()

    async def _receive(self, link: Link) -> None:
        while not self._stopping:
            if self.pause is not None:
                self._began.set()
                await self._woken_up()
                continue
            try:
                async with open_channel(await link.connection(None)) as channel:
                    await self._consume(channel)
            except CONNECTION_ERRORS as error:
                if self._tries % 10 == 0:
                    log.warning("queue cannot be consumed", queue=self.consumer.queue, error=type(error).__name__)
                await asyncio.sleep(back_off(self._tries))
                self._tries += 1

    async def _consume(self, channel: AbstractChannel) -> None:
        """Receive until the channel closes, the broker ends the consumer, or it shall stop."""
        channel.close_callbacks.add(self._woken)
        underlay = cast("aiormq.Channel", await channel.get_underlay_channel())
        underlay.on_consumer_cancel_callbacks.add(self._woken)
        try:
            while not self._stopping and self.pause is None and not channel.is_closed:
                wanted = self._wanted
                async with asyncio.timeout(CONSUME_TIMEOUT):
                    tag = await self._begin(channel, underlay, wanted)
                self._silent.clear()
                self._began.set()
                self._tries = 0
                while (
                    self._wanted == wanted and not self._stopping and self.pause is None and tag in underlay.consumers
                ):
                    await self._woken_up()
                    if channel.is_closed:
                        return
                if tag in underlay.consumers:
                    async with asyncio.timeout(CANCEL_TIMEOUT):
                        await underlay.basic_cancel(tag)
            self._silent.set()
            if self._stopping:
                await self._finished.wait()
        finally:
            self._silent.set()

    async def _begin(self, channel: AbstractChannel, underlay: aiormq.Channel, prefetch: int) -> str:
        # A prefetch counts for consumers that begin after it was set: https://www.rabbitmq.com/docs/consumer-prefetch
        await channel.set_qos(prefetch_count=prefetch)
        # aiormq makes a task of each message, and aio-pika another one.
        tag = (await underlay.basic_consume(self.consumer.queue, self._take)).consumer_tag or ""
        self._prefetch = prefetch
        PREFETCH.labels(self.consumer.queue).set(prefetch)
        return tag

    async def _woken_up(self) -> None:
        self._wake.clear()
        await self._wake.wait()

    def _woken(self, *_: Any) -> None:
        self._wake.set()

    async def _take(self, delivered: DeliveredMessage) -> None:
        """Take one message; it is acknowledged with its batch."""
        self.consumer.arrive(IncomingMessage(delivered))

    async def _fit_prefetch(self, messages: int, size: int) -> None:
        """Aim at `MAX_BYTES` of messages in flight, whatever the size of each."""
        mean = size / messages
        self._mean_bytes = mean if not self._mean_bytes else 0.8 * self._mean_bytes + 0.2 * mean
        wanted = max(4, min(MAX_PREFETCH, int(MAX_BYTES / max(1.0, self._mean_bytes))))
        if not self._prefetch / 2 < wanted < self._prefetch * 2:
            self._wanted = wanted
            self._wake.set()


def _end_with(task: asyncio.Task[None]) -> None:
    """End the process when a consumer ends by a fault of ours: whoever supervises it starts it anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the consumer failed; the service stops", queue=task.get_name(), exc_info=error)
        signal.raise_signal(signal.SIGTERM)
