"""Which queues an operator has paused: every process reads it from a stream, from the first event on.

So a pause outlasts restarts, reaches all processes of a service, and needs no database.
"""

import asyncio
from collections.abc import Callable

import structlog

from returpost.amqp.connections import open_channel
from returpost.amqp.publisher import Message
from returpost.amqp.streams import open_stream
from returpost.contracts import ConsumerDrained, ConsumerPaused, ConsumerResumed, Contract, ids
from returpost.contracts.cloudevents import decode, encode, event
from returpost.contracts.routing import CONSUMERS, EVENTS, PLATFORM, routing_key
from returpost.errors import InvalidMessage
from shared.messaging.broker import Link

QUIET_SECONDS = 0.5
"""A stream says nothing at its end: what stays quiet for so long has been read to the end."""
START_SECONDS = 10.0
"""How long a service that starts waits for the end of the stream before it consumes."""

log = structlog.get_logger()


class Pauses:
    """The latest of each queue. `changed` is change of each that differs from before."""

    def __init__(self, changed: Callable[[ConsumerPaused | ConsumerResumed], None]) -> None:
        self._latest: dict[str, ConsumerPaused | ConsumerResumed] = {}
        self._changed = changed
        self.read = asyncio.Event()
        """Set once the stream has been read to where its end was."""

    def apply(self, change: ConsumerPaused | ConsumerResumed) -> None:
        """Take what an operator did; what came before the latest changes nothing."""
        latest = self._latest.get(change.queue)
        if change.cause == "operator" and (latest is None or change.time > latest.time):
            self._latest[change.queue] = change
            self._changed(change)

    async def consume(self, link: Link) -> None:
        """Read the stream from its first event on. Raises `InvalidSettings`, one of `CONNECTION_ERRORS`."""
        connection = await link.connection(None)
        async with open_channel(connection) as channel:
            declared = await channel.declare_queue(CONSUMERS, passive=True)
        # RabbitMQ counts some seconds late: there may be more, which the quiet tells, but hardly less.
        left = declared.declaration_result.message_count or 0
        quiet = 0.0
        async with open_stream(connection, "first", CONSUMERS) as reader:
            while True:
                try:
                    message = await reader.next(None if self.read.is_set() else QUIET_SECONDS)
                except TimeoutError:
                    quiet += QUIET_SECONDS
                    if left <= 0 or quiet >= START_SECONDS:
                        self.read.set()
                    continue
                self._apply_all(message.body)
                await message.ack()
                left -= 1

    async def wait(self) -> None:
        """Return when the stream was read to its end, or `START_SECONDS` later: what is paused then stops at once."""
        try:
            async with asyncio.timeout(START_SECONDS):
                await self.read.wait()
        except TimeoutError:
            log.warning("which consumers are paused is not known yet", stream=CONSUMERS)

    def _apply_all(self, body: bytes) -> None:
        paused = ConsumerPaused.TYPE.encode() in body
        kind: type[ConsumerPaused] | type[ConsumerResumed] = ConsumerPaused if paused else ConsumerResumed
        try:
            events, rejected = decode(kind, body)
        except InvalidMessage as broken:
            log.error("a pause could not be read", stream=CONSUMERS, error=str(broken))
            return
        for one in events:
            self.apply(one.data)
        for item in rejected:
            log.error("a pause could not be read", stream=CONSUMERS, error=item.error)


def message_of(data: ConsumerPaused | ConsumerResumed | ConsumerDrained) -> Message:
    """Return the event of what happened to a consumer, as a message."""
    identity = ids.of_content(PLATFORM, data.TYPE, data.queue, data.time)
    body, content_type = encode([event(data, id=identity, source=f"/consumers/{data.queue}", tenant=PLATFORM)])
    contract: type[Contract] = type(data)
    detail = None if contract.DETAIL is None else getattr(data, contract.DETAIL)
    return Message(EVENTS, routing_key(data.TYPE, PLATFORM, detail), body, content_type)
