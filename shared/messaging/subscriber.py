"""Where FastStream ends and the consumer begins: wiring, life cycle and document are its, the messages are ours."""

import asyncio
import signal
from typing import Any

import structlog
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from faststream import AckPolicy
from faststream._internal.broker.registrator import Registrator
from faststream._internal.endpoint.subscriber.call_item import CallsCollection
from faststream.rabbit import Channel, ExchangeType, RabbitBroker, RabbitExchange, RabbitQueue
from faststream.rabbit.subscriber.config import RabbitSubscriberConfig, RabbitSubscriberSpecificationConfig
from faststream.rabbit.subscriber.specification import RabbitSubscriberSpecification
from faststream.rabbit.subscriber.usecase import RabbitSubscriber

from returpost.contracts.cloudevents import Event
from shared.messaging.consumer import MAX_BYTES, Consumer
from shared.observability.metrics import PREFETCH

log = structlog.get_logger()

FIRST_PREFETCH = 8
"""Before the size of the messages is known: eight of the largest allowed still fit into memory."""
MAX_PREFETCH = 1_000
DEPTH_TIMEOUT = 2.0


class BatchSubscriber(RabbitSubscriber):
    """Hands the raw messages of a queue to a `Consumer`, and fits the prefetch to their size."""

    consumer: Consumer[Any]

    async def start(self) -> None:
        """Start to process, then to receive."""
        self._prefetch = FIRST_PREFETCH
        self._mean_bytes = 0.0
        self._refitting = False
        self._task = asyncio.create_task(self.consumer.run(self._fit_prefetch), name=self.consumer.queue)
        self._task.add_done_callback(_end_with)
        await super().start()

    async def stop(self) -> None:
        """Stop receiving, finish the batch in hand, then go."""
        queue, tag = self._queue_obj, self._consumer_tag
        self._consumer_tag = None
        if queue is not None and tag is not None and not queue.channel.is_closed:
            await queue.cancel(tag)
        self.consumer.stop()
        await asyncio.gather(self._task, return_exceptions=True)
        await super().stop()

    async def consume(self, msg: AbstractIncomingMessage) -> None:
        """Take one message; it is acknowledged with its batch."""
        self.consumer.arrive(msg)

    @property
    def alive(self) -> bool:
        """Whether messages are being received and processed."""
        receiving = self._consumer_tag is not None or self._refitting
        return self.running and receiving and not self._task.done()

    async def depth(self) -> int | None:
        """Return how many messages wait in the queue, or nothing when the broker is away."""
        try:
            queue = self._queue_obj
            if queue is None:
                return None
            return (await asyncio.wait_for(queue.declare(), DEPTH_TIMEOUT)).message_count
        except (*CONNECTION_EXCEPTIONS, TimeoutError, RuntimeError):
            return None

    async def _fit_prefetch(self, messages: int, size: int) -> None:
        """Aim at `MAX_BYTES` of messages in flight, whatever the size of each.

        A prefetch counts for consumers that begin after it was set (https://www.rabbitmq.com/docs/consumer-prefetch).
        """
        mean = size / messages
        self._mean_bytes = mean if not self._mean_bytes else 0.8 * self._mean_bytes + 0.2 * mean
        wanted = max(4, min(MAX_PREFETCH, int(MAX_BYTES / max(1.0, self._mean_bytes))))
        if self._prefetch / 2 < wanted < self._prefetch * 2:
            return
        queue, tag = self._queue_obj, self._consumer_tag
        if queue is None or tag is None or queue.channel.is_closed:
            return
        self._consumer_tag, self._refitting = None, True
        try:
            await queue.cancel(tag)
            await queue.channel.set_qos(prefetch_count=wanted)
            self._consumer_tag = await queue.consume(self.consume)
        finally:
            self._refitting = False
        self._prefetch = wanted
        PREFETCH.labels(self.consumer.queue).set(wanted)


def _end_with(task: asyncio.Task[None]) -> None:
    """End the process when a consumer ends by a fault of ours: whoever supervises it starts it anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("the consumer failed; the service stops", queue=task.get_name(), exc_info=error)
        signal.raise_signal(signal.SIGTERM)


def subscribe(broker: RabbitBroker, consumer: Consumer[Any], exchange: str) -> BatchSubscriber:
    """Register the consumer with the broker, which starts, stops and documents it. Declares nothing."""
    config = broker.config
    queue = RabbitQueue(consumer.queue, declare=False)
    source = RabbitExchange(exchange, type=ExchangeType.TOPIC, declare=False)
    calls = CallsCollection[Any]()
    subscriber = BatchSubscriber(
        RabbitSubscriberConfig(
            no_reply=True,
            consume_args=None,
            channel=Channel(prefetch_count=FIRST_PREFETCH),
            queue=queue,
            exchange=source,
            _ack_policy=AckPolicy.MANUAL,
            _outer_config=config,  # type: ignore[arg-type]
        ),
        RabbitSubscriberSpecification(
            _outer_config=config,  # type: ignore[arg-type]
            specification_config=RabbitSubscriberSpecificationConfig(
                title_=consumer.queue,
                description_=consumer.contract.__doc__,
                include_in_schema=True,
                queue=queue,
                exchange=source,
            ),
            calls=calls,
        ),
        calls,
    )
    subscriber.consumer = consumer
    Registrator.subscriber(broker, subscriber, persistent=True)
    subscriber.add_call(parser_=None, decoder_=None, dependencies_=())
    subscriber(_documented(consumer))
    return subscriber


def _documented(consumer: Consumer[Any]) -> Any:
    """Return what FastStream reads the payload's schema from; it is never called."""

    async def receive(event: Any) -> None: ...

    receive.__annotations__["event"] = Event[consumer.contract]  # type: ignore[name-defined]
    receive.__doc__ = consumer.contract.__doc__
    return receive
