"""In-memory adapters: a broker with the real topology, and the outbox. They pass the same contract as the real ones."""

import fnmatch
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from returpost.amqp.publisher import Message, merge
from returpost.errors import Unavailable
from shared.messaging.dead_letters import publish_or_dead_letter
from shared.messaging.topology import EXCHANGES, queues
from shared.messaging.unit_of_work import HOLDS, UnitOfWork
from shared.service import Service


class InMemoryBroker:
    """Routes messages by the topology into lists, one a queue."""

    def __init__(self, senders: tuple[str, ...] = ("default", "news")) -> None:
        self.queues: dict[str, list[Message]] = defaultdict(list)
        self.available = True
        """While it is not, publishing raises `Unavailable`."""
        self._queues = queues(senders)
        self._types = {exchange.name: exchange.type for exchange in EXCHANGES}

    async def publish(self, messages: Sequence[Message]) -> list[Message]:
        """Put each message into the queues that are bound for it; return those that no queue is bound for."""
        if not self.available:
            raise Unavailable("RabbitMQ did not confirm: unavailable")
        returned = []
        for message in messages:
            bound = [queue.name for queue in self._queues if self._takes(queue, message)]
            for name in bound:
                self.queues[name].append(message)
            if not bound:
                returned.append(message)
        return returned

    def take_events(self, queue: str) -> list[dict[str, Any]]:
        """Remove and return all events in a queue, as plain values."""
        values = [json.loads(message.body) for message in self.queues.pop(queue, [])]
        return [event for value in values for event in (value if isinstance(value, list) else [value])]

    def _takes(self, queue: Any, message: Message) -> bool:
        kind = self._types.get(message.exchange)
        keys = [binding.key for binding in queue.bindings if binding.exchange == message.exchange]
        if kind == "fanout":
            return bool(keys)
        if kind == "direct":
            return message.routing_key in keys
        return any(_matches(key, message.routing_key) for key in keys)


class InMemoryOutbox:
    """Units of work without a database: what is emitted is kept when the block ends well, and then published."""

    def __init__(self, publisher: InMemoryBroker) -> None:
        self._publisher = publisher
        self._rows: list[Message] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[UnitOfWork]:
        """Give a `UnitOfWork`; keep and publish what it emits. Raises `Unavailable` when kept alone, and it holds."""
        work = UnitOfWork()
        yield work
        messages = merge(work.outgoing)
        self._rows += messages
        try:
            await publish_or_dead_letter(self._publisher, messages)
        except Unavailable:
            if HOLDS.get():
                raise
            return
        self._rows = [row for row in self._rows if not any(row is message for message in messages)]

    async def drain_all(self) -> None:
        """Publish what is left over."""
        rows = list(self._rows)
        await publish_or_dead_letter(self._publisher, rows)
        self._rows = self._rows[len(rows) :]

    async def pending(self) -> int:
        """Count what is left over."""
        return len(self._rows)


class InMemoryChannel:
    """The channel of messages that arrive; notes up to which tag they were acknowledged."""

    def __init__(self) -> None:
        self.is_closed = False
        self.acknowledged = 0


class InMemoryMessage:
    """A message as a consumer gets it."""

    def __init__(self, channel: InMemoryChannel, tag: int, message: Message) -> None:
        self.channel = channel
        self.body = message.body
        self.content_type = message.content_type
        self.headers = dict(message.headers)
        self.exchange = message.exchange
        self.routing_key = message.routing_key
        self.user_id = "returpost-actions"
        self._tag = tag

    async def ack(self, *, multiple: bool = False) -> None:
        """Acknowledge, with all before it."""
        assert multiple
        self.channel.acknowledged = self._tag


def _matches(key: str, routing_key: str) -> bool:
    """Tell whether a binding key of a topic exchange matches: `*` is one word, `#` at the end any number of them."""
    pattern, words = key.split("."), routing_key.split(".")
    if pattern[-1] == "#":
        pattern, words = pattern[:-1], words[: len(pattern) - 1]
    return len(pattern) == len(words) and all(map(fnmatch.fnmatchcase, words, pattern))


async def consume(service: Service[Any], broker: InMemoryBroker, queue: str) -> None:
    """Have the consumer of a queue take all that is in it, as it does in the running service."""
    (consumer,) = [one.consumer for one in service.subscribers if one.consumer.queue == queue]
    outbox = InMemoryOutbox(broker)
    consumer.wire(outbox, broker, outbox.drain_all)
    channel, messages = InMemoryChannel(), broker.queues.pop(queue, [])
    for tag, message in enumerate(messages, 1):
        consumer.arrive(InMemoryMessage(channel, tag, message))  # type: ignore[arg-type]

    async def batch_done(_: int, __: int) -> None:
        if channel.acknowledged == len(messages):
            consumer.stop()

    await consumer.run(batch_done)
