"""Publishing with confirms: what returns without an error is safe in RabbitMQ.

Events of one batch that go the same way travel in one message: the cost is the message, not the event.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from aio_pika import DeliveryMode, Message as PikaMessage
from aio_pika.abc import AbstractChannel, AbstractExchange
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError, PublishError

from returpost.amqp.connections import is_blocked
from returpost.contracts.cloudevents import AnyEvent, encode
from returpost.errors import Unavailable

MAX_EVENTS = 500
"""Events a message: past this the cost of the message no longer shows (measured in bench/)."""
MAX_BYTES = 256 * 1024
"""Bytes a message, so that a consumer's prefetch is bounded in bytes too; one event alone may be larger."""
CONFIRM_TIMEOUT = 30.0
"""Seconds for a confirm."""
ALARM_INTERVAL = 0.5
"""Seconds without a confirm after which it is asked whether the broker has said that it takes no messages."""
ALARM = "RabbitMQ takes no messages: a memory or disk alarm"


class Outgoing(NamedTuple):
    """One event and where it goes."""

    event: Any
    """`AnyEvent`: services but ingest write no bytes themselves, and may count on models."""
    exchange: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to be sent or kept in the outbox."""

    exchange: str
    routing_key: str
    body: bytes
    content_type: str
    headers: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None
    """Of an answer: which question it is to."""


class Publishes(Protocol):
    """Whoever can publish: the broker's publisher, or a test's."""

    async def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Publish all, wait for the confirms, return those that no queue wanted. Raises `Unavailable`."""
        ...


def merge(outgoing: Iterable[Outgoing]) -> list[Message]:
    """Put events of the same type that go the same way into as few messages as the bounds allow."""
    groups: dict[tuple[str, str, str], list[AnyEvent]] = {}
    for item in outgoing:
        groups.setdefault((item.exchange, item.routing_key, item.event.type), []).append(item.event)
    return [
        Message(exchange, routing_key, body, content_type)
        for (exchange, routing_key, _), events in groups.items()
        for start in range(0, len(events), MAX_EVENTS)
        for body, content_type in _bodies(events[start : start + MAX_EVENTS])
    ]


def _bodies(events: list[AnyEvent]) -> list[tuple[bytes, str]]:
    body, content_type = encode(events)
    if len(body) <= MAX_BYTES or len(events) == 1:
        return [(body, content_type)]
    half = len(events) // 2
    return _bodies(events[:half]) + _bodies(events[half:])


def user_of(channel: Any) -> str:
    """Return the broker's user of an aiormq channel."""
    return str(channel.connection.url.user or "guest")


class Publisher:
    """Publishes on one channel with confirms; many messages may be in flight at once.

    Every message names the broker's user (https://www.rabbitmq.com/docs/validated-user-id).
    """

    def __init__(self, channel: AbstractChannel) -> None:
        """`channel` must have been opened with `publisher_confirms` and `on_return_raises`."""
        self._channel = channel
        self._exchanges: dict[str, AbstractExchange] = {}
        self._user: str | None = None

    async def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Publish all, wait for the confirms, return those that no queue wanted.

        Raises `Unavailable` when the broker is away, refuses or is silent for `CONFIRM_TIMEOUT`; some of the messages
        may then have arrived, which does no harm: their ids are derived.
        """
        if await self._blocked():
            raise Unavailable(ALARM)
        results = await self._send_all(messages)
        returned: list[Message] = []
        for message, result in zip(messages, results, strict=True):
            if isinstance(result, PublishError):
                returned.append(message)
            elif isinstance(result, (*CONNECTION_EXCEPTIONS, DeliveryError, TimeoutError)):
                raise Unavailable(f"RabbitMQ did not confirm: {type(result).__name__}") from result
            elif isinstance(result, BaseException):
                raise result
        return returned

    async def _send_all(self, messages: Sequence[Message]) -> list[BaseException | None]:
        sending = asyncio.gather(*(self._send(message) for message in messages), return_exceptions=True)
        while True:
            done, _ = await asyncio.wait((sending,), timeout=ALARM_INTERVAL)
            if done:
                return sending.result()
            if await self._blocked():
                sending.cancel()
                raise Unavailable(ALARM)

    async def _blocked(self) -> bool:
        return await is_blocked((await self._channel.get_underlay_channel()).connection)

    async def _send(self, message: Message) -> None:
        exchange = self._exchanges.get(message.exchange)
        if exchange is None:
            exchange = self._exchanges[message.exchange] = await self._channel.get_exchange(
                message.exchange, ensure=False
            )
        if self._user is None:
            self._user = user_of(await self._channel.get_underlay_channel())
        await exchange.publish(
            PikaMessage(
                message.body,
                content_type=message.content_type,
                delivery_mode=DeliveryMode.PERSISTENT,
                headers=dict(message.headers),
                correlation_id=message.correlation_id,
                user_id=self._user,
            ),
            message.routing_key,
            mandatory=True,
            timeout=CONFIRM_TIMEOUT,
        )
