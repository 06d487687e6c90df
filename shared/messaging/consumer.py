"""The consumer: at least once in, exactly once in effect. One implementation for all services.

Natural batching: while a batch is being processed, arrivals gather; when it is done, the next batch is all that
gathered, up to a bound (`Arrivals`). Idle: a batch of one, at once, without a timer. Loaded: large batches, one
transaction and one acknowledgement each.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import structlog
from aio_pika.abc import AbstractIncomingMessage

from returpost.amqp.connections import CONNECTION_ERRORS, has_closed
from returpost.amqp.publisher import Message, Publishes
from returpost.contracts import Contract, structs
from returpost.contracts.cloudevents import Event, Rejected, split
from returpost.contracts.routing import REPLAY
from returpost.errors import InvalidMessage, Unavailable
from shared.messaging.acceptance import Origin, judge, origin_of, refusal
from shared.messaging.arrivals import Arrivals
from shared.messaging.control.circuit_breaker import CircuitBreaker, Failure, Limits
from shared.messaging.control.pauses import message_of
from shared.messaging.dead_letters import dead_letter, fingerprint
from shared.messaging.replay_outcome import outcomes, part_of
from shared.messaging.unit_of_work import HOLDS, UnitOfWork, UnitOfWorkFactory
from shared.observability.metrics import BATCH_EVENTS, BATCH_SECONDS, BREAKER_OPEN, EVENTS_IN, LAG_SECONDS, PAUSED
from shared.observability.tracing import span_of_batch
from shared.transient_errors import is_infrastructure

D = TypeVar("D", bound=Contract)


class Handle(Protocol[D]):
    """Applies a batch of events inside one transaction. Raises `InvalidMessage` for one that can never be applied."""

    def __call__(self, events: Sequence[Event[D]], work: UnitOfWork, /) -> Awaitable[None]: ...


Read = Callable[[AbstractIncomingMessage], Event[Any]]
"""Makes one event of any message; raises nothing."""

MAX_EVENTS = 2_000
"""Events a batch: one transaction, so that locks are short; more no longer gains (measured in bench/)."""
MAX_BYTES = 4 * 1024 * 1024
"""Bytes of messages a batch, and what the prefetch aims at."""
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""A larger message is refused unread: the default limit of RabbitMQ 4."""
QUARANTINED = "quarantined: processes have died while they had this in hand"
BACK_OFF = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between tries while the database or the broker is unavailable; the last one repeats."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Delivery(Generic[D]):
    """One message and what was read from it."""

    message: AbstractIncomingMessage
    origin: Origin
    events: list[Event[D]]
    rejected: list[Rejected]
    read: list[Event[D]] = field(default_factory=list)
    """All events that follow the contract, in their order; none where it is not the contract that reads."""


Pair: TypeAlias = tuple[Event[D], Delivery[D]]


class Consumer(Generic[D]):
    """Takes the messages of one queue in natural batches and has them handled."""

    def __init__(
        self,
        queue: str,
        contract: type[D],
        handle: Handle[D],
        *,
        read: Read | None = None,
        required_for_readiness: bool = True,
        max_batch_events: int = MAX_EVENTS,
        limits: Limits | None = None,
    ) -> None:
        """`read` makes events of a message where it is not the contract that does: dead letters. The service is
        ready while a consumer that is not `required_for_readiness` is paused. A batch ends with the message that brings
        it to `max_batch_events` events.
        """
        self.queue = queue
        self.required_for_readiness = required_for_readiness
        self.contract = contract
        self.paused_since: float | None = None
        self.last_done: float | None = None
        self.lag = 0.0
        self._handle = handle
        self._own_read = read
        self._max_batch_events = max_batch_events
        self.arrivals = Arrivals()
        self._stopping = False
        self.breaker = CircuitBreaker(limits or Limits())
        self._alone = False
        self._dead_letters: list[Message] = []
        self._failed_again: list[Message] = []
        """Of the batch in hand, not published yet."""
        self._uow_factory: UnitOfWorkFactory
        self._publisher: Publishes
        self._recover: Callable[[], Awaitable[Any]]

    def wire(self, uow_factory: UnitOfWorkFactory, publisher: Publishes, recover: Callable[[], Awaitable[Any]]) -> None:
        """Give the consumer its real adapters; `recover` is called after a commit whose events were not confirmed."""
        self._uow_factory, self._publisher, self._recover = uow_factory, publisher, recover

    def arrive(self, message: AbstractIncomingMessage) -> None:
        """Take a message; it waits with the others for the next batch."""
        self.arrivals.put(message)

    def stop(self) -> None:
        """Finish the batch in hand, then go; what is still waiting goes back to the queue with the channel."""
        self._stopping = True
        self.breaker.wake()
        self.arrivals.put(None)

    async def run(self, batch_done: Callable[[int, int], Awaitable[None]]) -> None:
        """Process batches until stopped. `batch_done` gets the number and the bytes of the messages of each."""
        HOLDS.set(True)
        while not self._stopping:
            first = await self.arrivals.first()
            if first is None:
                continue
            started = time.monotonic()
            deliveries = self._gather(first)
            if not deliveries:
                continue
            await self._process(deliveries)
            await self._acknowledge(deliveries)
            self._measure(deliveries, started)
            await batch_done(len(deliveries), sum(len(delivery.message.body) for delivery in deliveries))

    async def take_alone(self, message: AbstractIncomingMessage, *, quarantine: bool) -> None:
        """Process one message by itself, or make a dead letter of each of its events; then acknowledge it."""
        holding, self._alone = HOLDS.set(True), True
        try:
            delivery = self._quarantined(message) if quarantine else self._read(message)
            await self._process([delivery])
            await self._acknowledge([delivery])
        finally:
            HOLDS.reset(holding)
            self._alone = False

    def _quarantined(self, message: AbstractIncomingMessage) -> Delivery[D]:
        parts = [message.body]
        if self._own_read is None and message.body.lstrip()[:1] == b"[":
            with contextlib.suppress(InvalidMessage):
                parts = list(split(message.body))
        return Delivery(message, origin_of(message), [], [Rejected(part, QUARANTINED) for part in parts])

    def _gather(self, first: AbstractIncomingMessage) -> list[Delivery[D]]:
        deliveries: list[Delivery[D]] = []
        events = size = 0
        message: AbstractIncomingMessage | None = first
        while message is not None:
            if not has_closed(message):  # else it has gone back to the queue, and comes again
                delivery = self._read(message)
                deliveries.append(delivery)
                events += len(delivery.events)
                size += len(message.body)
            if events >= self._max_batch_events or size >= MAX_BYTES:
                break
            message = self.arrivals.next()
        return deliveries

    def _read(self, message: AbstractIncomingMessage) -> Delivery[D]:
        origin, body = origin_of(message), message.body
        error = refusal(message, origin, self.queue)
        if not error and len(body) > MAX_MESSAGE_BYTES:
            error = f"message: {len(body)} bytes, {MAX_MESSAGE_BYTES} are allowed; send fewer events a message"
        if error:
            return Delivery(message, origin, [], [Rejected(body, error)])
        if self._own_read is not None:
            return Delivery(message, origin, [self._own_read(message)], [])
        try:
            read, rejected = structs.decode(self.contract, body)
        except InvalidMessage as broken:
            return Delivery(message, origin, [], [Rejected(body, str(broken))])
        results = judge(read, origin, self.contract)
        if results is read:
            return Delivery(message, origin, read, rejected, read)
        events = [result for result in results if not isinstance(result, str)]
        refused = [
            Rejected(_bytes_of(event, read, body, self.contract), result)
            for event, result in zip(read, results, strict=True)
            if isinstance(result, str)
        ]
        places = [one if isinstance(result, str) else result for one, result in zip(read, results, strict=True)]
        return Delivery(message, origin, events, [*rejected, *refused], places)

    async def _process(self, deliveries: list[Delivery[D]]) -> None:
        self._failed_again = []
        self._dead_letters = [self._dead_letter(d, it.body, it.error) for d in deliveries for it in d.rejected]
        EVENTS_IN.labels(self.queue, "rejected").inc(len(self._dead_letters))
        pairs = [(event, delivery) for delivery in deliveries for event in delivery.events]
        if pairs:
            with span_of_batch(self.queue, [event for event, _ in pairs]):
                await self._apply(pairs)
        await self._publish_dead_letters()
        # What came by a channel that has closed comes again, and is reported then.
        here = (d.message for d in deliveries if d.message.exchange == REPLAY and not has_closed(d.message))
        if reports := outcomes(self.queue, (message.headers for message in here), self._failed_again):
            await self._retry_while_unavailable(lambda: self._send(reports))

    async def _apply(self, pairs: list[Pair[D]]) -> None:
        """Handle all; halve what fails until the event that fails stands alone, as a dead letter."""
        if self.breaker.is_open:
            pairs = await self._wait_for_success(pairs)
        if not pairs:
            return
        error = await self._attempt(pairs)
        if error is None:
            self.breaker.succeeded(len(pairs))
        elif len(pairs) > 1:
            half = len(pairs) // 2
            await self._apply(pairs[:half])
            await self._apply(pairs[half:])
        else:
            self._fail(pairs[0], error)

    async def _attempt(self, pairs: list[Pair[D]]) -> Exception | None:
        """Handle all in one transaction, or return the error that stopped it."""
        refused: list[tuple[Event[Any], str]] = []

        async def once() -> None:
            async with self._uow_factory.begin() as work:
                await self._handle([event for event, _ in pairs], work)
                refused[:] = work.refused

        try:
            await self._retry_while_unavailable(once)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the rest
            return error
        EVENTS_IN.labels(self.queue, "processed").inc(len(pairs) - len(refused))
        EVENTS_IN.labels(self.queue, "rejected").inc(len(refused))
        self._dead_letters += self._refusals(pairs, refused)
        return None

    def _fail(self, pair: Pair[D], error: Exception) -> None:
        event, delivery = pair
        # Neither message nor local values: they may hold addresses. The dead letter has all of it.
        log.warning(
            "event failed", queue=self.queue, event_id=event.id, tenant=event.tenant, error=type(error).__name__
        )
        EVENTS_IN.labels(self.queue, "failed").inc()
        body = _bytes_of(event, delivery.read, delivery.message.body, self.contract)
        if isinstance(error, InvalidMessage):
            self._dead_letters.append(self._dead_letter(delivery, body, str(error)))
            return
        self._dead_letters.append(self._dead_letter(delivery, body, f"{type(error).__name__}: {error}", error))
        failure = Failure(fingerprint(self.queue, str(error), error), type(error).__name__, event.id)
        if self.breaker.failed(failure):
            BREAKER_OPEN.labels(self.queue).set(1)
            self._dead_letters.append(message_of(self.breaker.event_of_opening(self.queue)))
            log.error(
                "consumer paused: too many events fail; one is tried again from time to time",
                queue=self.queue,
                **asdict(failure),
            )

    async def _wait_for_success(self, pairs: list[Pair[D]]) -> list[Pair[D]]:
        """Try one event after another, at growing intervals, until one succeeds; return those that are left.

        The messages stay unacknowledged; those whose channel closes meanwhile have gone back to the queue.
        """
        if self._alone:  # the service starts, and must not wait: the message goes back, and opens it again from there
            self._dead_letters.clear()
            self.breaker.resume()
            BREAKER_OPEN.labels(self.queue).set(0)
            raise Unavailable("too many events failed")
        await self._publish_dead_letters()  # whoever looks for the cause needs them now
        tries = 0
        while self.breaker.is_open:
            if not self._stopping:
                await self.breaker.wait()
            if self._stopping:
                raise asyncio.CancelledError
            pairs = [pair for pair in pairs if not has_closed(pair[1].message)]
            if not pairs:
                return []
            if not self.breaker.is_open:  # an operator closed it
                break
            one = pairs[tries % len(pairs)]  # another each time: the first may be the one event that always fails
            tries += 1
            success = await self._attempt([one]) is None
            self.breaker.tried(success=success)
            if success:
                pairs = [pair for pair in pairs if pair is not one]
        BREAKER_OPEN.labels(self.queue).set(0)
        self._dead_letters.append(message_of(self.breaker.event_of_closing(self.queue)))
        log.info("consumer resumed: events succeed again", queue=self.queue)
        return pairs

    def _refusals(self, pairs: list[Pair[D]], refused: list[tuple[Event[Any], str]]) -> list[Message]:
        origin = {id(event): delivery for event, delivery in pairs} if refused else {}
        return [
            self._dead_letter(one, _bytes_of(event, one.read, one.message.body, self.contract), error)
            for event, error in refused
            for one in [origin[id(event)]]
        ]

    async def _publish_dead_letters(self) -> None:
        if dead_letters := self._dead_letters:
            self._dead_letters = []
            self._failed_again += [one for one in dead_letters if part_of(one.headers) is not None]
            await self._retry_while_unavailable(lambda: self._send(dead_letters))

    async def _send(self, dead_letters: list[Message]) -> None:
        await self._publisher.publish(dead_letters)

    async def _retry_while_unavailable(self, attempt: Callable[[], Awaitable[None]]) -> None:
        """Try until the infrastructure lets it be done; any other error is raised. Stops trying when asked to stop."""
        for tries in range(1_000_000_000):
            try:
                await attempt()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                self._paused(error, tries)
                if self._stopping:
                    raise asyncio.CancelledError from error
                await asyncio.sleep(BACK_OFF[min(tries, len(BACK_OFF) - 1)])
                if isinstance(error, Unavailable):
                    with contextlib.suppress(Exception):
                        await self._recover()
            else:
                self._resumed()
                return

    def _paused(self, error: BaseException, tries: int) -> None:
        gc.collect()  # the last try left the batch in the frames of its error: cycles, of which there are few else
        if self.paused_since is None:
            self.paused_since = time.monotonic()
            PAUSED.labels(self.queue).set(1)
        if tries in (0, 10) or tries % 100 == 0:
            log.warning(
                "consumer paused: database or broker unavailable",
                queue=self.queue,
                error=f"{type(error).__name__}: {error}",
            )

    def _resumed(self) -> None:
        if self.paused_since is not None:
            log.info(
                "consumer resumed", queue=self.queue, paused_seconds=round(time.monotonic() - self.paused_since, 1)
            )
            self.paused_since = None
            PAUSED.labels(self.queue).set(0)
            gc.collect()

    async def _acknowledge(self, deliveries: list[Delivery[D]]) -> None:
        # After a reconnect a batch may hold messages of two channels; each acknowledges its own.
        for message in {id(d.message.channel): d.message for d in deliveries if not has_closed(d.message)}.values():
            try:
                await message.ack(multiple=True)
            except (*CONNECTION_ERRORS, asyncio.InvalidStateError, RuntimeError):
                log.info("the channel closed before the acknowledgement: the batch will come again", queue=self.queue)

    def _measure(self, deliveries: list[Delivery[D]], started: float) -> None:
        self.last_done = time.monotonic()
        BATCH_SECONDS.labels(self.queue).observe(self.last_done - started)
        times = [event.time for delivery in deliveries for event in delivery.events[:1] if event.time is not None]
        BATCH_EVENTS.labels(self.queue).observe(sum(len(delivery.events) for delivery in deliveries))
        if times:
            self.lag = max(0.0, time.time() - min(times).timestamp())
            LAG_SECONDS.labels(self.queue).set(self.lag)

    def _dead_letter(
        self, delivery: Delivery[D], body: bytes, error: str, exception: BaseException | None = None
    ) -> Message:
        return dead_letter(
            body,
            queue=self.queue,
            exchange=delivery.origin.exchange,
            routing_key=delivery.origin.routing_key,
            user=delivery.origin.user,
            content_type=delivery.message.content_type,
            headers=delivery.message.headers,
            error=error,
            exception=exception,
            quarantined=error == QUARANTINED,
        )


def _bytes_of(event: Event[D], read: list[Event[D]], body: bytes, contract: type[D]) -> bytes:
    """Return the exact bytes of one event of all that were `read` from a message."""
    if not read or body.lstrip()[:1] != b"[":
        return body
    items = [item for item in split(body) if item[:1] != b"[" and structs.decode(contract, item)[0]]
    return items[next(place for place, one in enumerate(read) if one is event)] if len(items) == len(read) else body
