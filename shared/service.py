"""The shell of a service: what its `app.py` wires comes to life here, and ends here."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Generic, TypeVar

import structlog
from aio_pika.exceptions import ChannelClosed
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse

from returpost.amqp.connections import CONNECTION_ERRORS, urls_of
from returpost.amqp.tasks import cancel_and_wait
from returpost.contracts import ConsumerDrained, ConsumerPaused, ConsumerResumed, Contract
from returpost.contracts.routing import COMMANDS, CONSUMERS, EVENTS, REVOCATIONS
from returpost.errors import InvalidSettings, ReturpostError, Unavailable
from shared.database.pool import Pool, connect
from shared.http import consumers, residual_searches
from shared.http.auth import AuthMiddleware, keys_of
from shared.http.max_body import BodyLimit, MaxBodyMiddleware
from shared.http.problems import REFUSALS, install_exception_handlers
from shared.http.rate_limit import RateLimitMiddleware
from shared.http.revocations import Revocations
from shared.http.server import serve
from shared.http.trace_context import TraceContextMiddleware
from shared.messaging.asyncapi import Consumed, Published, asyncapi
from shared.messaging.broker import Broker, BrokerPublisher
from shared.messaging.consumer import MAX_EVENTS, Consumer, Handle, Read
from shared.messaging.control.circuit_breaker import Limits
from shared.messaging.control.pauses import Pauses
from shared.messaging.direct_publisher import DirectPublisher
from shared.messaging.outbox import Outbox
from shared.messaging.quarantine import start_all
from shared.messaging.subscriber import BatchSubscriber
from shared.messaging.unit_of_work import HOLDS, UnitOfWorkFactory
from shared.observability.health import Health, look_within, report
from shared.observability.logging import configure_logging
from shared.observability.metrics import metrics_response
from shared.observability.tracing import configure_tracing
from shared.settings import ServiceSettings, load
from shared.transient_errors import is_infrastructure

S = TypeVar("S", bound=ServiceSettings)
D = TypeVar("D", bound=Contract)

RECONNECT_SECONDS = 1.0
BACKGROUND_BACK_OFF = 2.0

CONSUMER_EVENTS = (
    Published(EVENTS, "consumer.paused.{tenant}.{cause}", ConsumerPaused),
    Published(EVENTS, "consumer.resumed.{tenant}.{cause}", ConsumerResumed),
    Published(EVENTS, "consumer.drained.{tenant}", ConsumerDrained),
)
"""What every service publishes of its consumers."""

log = structlog.get_logger()


class Service(Generic[S]):
    """One service: the queues it reads, the events it publishes, its routes and its background work."""

    def __init__(self, name: str, settings: S, *, description: str, stateless: bool = False) -> None:
        self.name = name
        self.settings = settings
        self.description = description
        self.subscribers: list[BatchSubscriber] = []
        urls_of(settings.amqp_url.get_secret_value())
        self.broker = Broker(settings.amqp_url.get_secret_value(), f"returpost-{name}")
        self._published: list[Published] = []
        self.app = FastAPI(
            title=f"Returpost {name}", description=description, lifespan=self._lifespan, responses=REFUSALS,
            docs_url=None, redoc_url=None,  # pages with scripts of somebody else's
        )  # fmt: skip
        self.app.state.service = self
        self.app.state.streamed = set[str]()
        self.app.state.body_limits = dict[str, BodyLimit]()
        self.app.state.open = ()
        self.app.state.revoked = self.revoked = Revocations()
        self.app.add_middleware(AuthMiddleware)
        self.app.add_middleware(MaxBodyMiddleware)
        if settings.http_rate:
            self.app.add_middleware(RateLimitMiddleware, rate=settings.http_rate, burst=settings.http_burst)
        self.app.add_middleware(TraceContextMiddleware)
        install_exception_handlers(self.app)
        self.on_ready: Callable[[], None] = _do_nothing
        """Called once the service works, before it says so."""
        self.uow_factory: UnitOfWorkFactory
        self.publisher = BrokerPublisher(self.broker.publishing)
        self._stateless = stateless
        self._pool: Pool | None = None
        self._parts: list[tuple[str, Callable[[], Awaitable[Any]]]] = []
        self._background: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self.background("revoked tokens", partial(self.revoked.consume, settings.amqp_url.get_secret_value()))
        self.add_health_check("tokens", self.revoked.look)
        self._add_health()
        self.pauses = Pauses(self._pause)
        self.routes(consumers.routes(lambda: self.subscribers, self.pauses, self.publisher))
        if not stateless:
            self.routes(residual_searches.routes(self._own_pool))

    def consume(
        self,
        queue: str,
        contract: type[D],
        handle: Handle[D],
        *,
        exchange: str = EVENTS,
        required_for_readiness: bool = True,
        max_batch_events: int = MAX_EVENTS,
    ) -> None:
        """Read a queue: `handle` gets its events in batches of about `max_batch_events`, each in one transaction.

        The service is ready while a queue that is not `required_for_readiness` is paused.
        """
        consumer = Consumer(
            queue,
            contract,
            handle,
            required_for_readiness=required_for_readiness,
            max_batch_events=max_batch_events,
            limits=self._limits(),
        )
        self.subscribers.append(BatchSubscriber(consumer, exchange))

    def consume_raw(
        self, queue: str, contract: type[D], handle: Handle[D], read: Read, *, exchange: str = EVENTS
    ) -> None:
        """Read a queue of which the messages follow no contract; `read` makes an event of each."""
        self.subscribers.append(
            BatchSubscriber(Consumer(queue, contract, handle, read=read, limits=self._limits()), exchange)
        )

    def _limits(self) -> Limits:
        own = self.settings
        return Limits(own.breaker_failures, own.breaker_seconds, own.breaker_share, own.breaker_events)

    def publishes(self, contract: type[Contract], routing_key: str, *, exchange: str = EVENTS) -> None:
        """Document an event or command that this service publishes."""
        self._published.append(Published(exchange, routing_key, contract))

    def commands(self, contract: type[Contract], routing_key: str) -> None:
        """Document a command that this service gives."""
        self.publishes(contract, routing_key, exchange=COMMANDS)

    def routes(self, router: APIRouter) -> None:
        """Serve these routes."""
        self.app.include_router(router)

    def allow_streaming_bodies(self, *paths: str) -> None:
        """Let these routes read bodies of any length, as they come in, unless they are `application/json`."""
        self.app.state.streamed |= set(paths)

    def limit_bodies(self, limit: BodyLimit, *prefixes: str) -> None:
        """Bound the bodies of all paths that begin so by another limit than the common one."""
        self.app.state.body_limits |= dict.fromkeys(prefixes, limit)

    def allow_anonymous(self, *paths: str) -> None:
        """Let whoever asks in without a token, at all paths that begin so: what they bring is another proof."""
        self.app.state.open += paths

    def background(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat `step` while the service runs; it waits by itself. A fault of the infrastructure is waited out."""
        self._background.append((name, step))

    @property
    def pool(self) -> Pool:
        """The database. Raises `ReturpostError` in a stateless service or before the start."""
        if self._pool is None:
            raise ReturpostError(f"{self.name} has no database connection")
        return self._pool

    async def _own_pool(self) -> Pool:
        return self.pool

    def asyncapi(self) -> dict[str, Any]:
        """Return the AsyncAPI 3 document of this service, made from its wiring."""
        consumed = [Consumed(one.consumer.queue, one.consumer.contract) for one in self.subscribers]
        return asyncapi(f"Returpost {self.name}", self.description, consumed, [*self._published, *CONSUMER_EVENTS])

    async def health(self) -> dict[str, Any]:
        """Say how consumers, database, outbox and lag are; `ok` sums it up."""
        health, *parts = await asyncio.gather(
            report(self.broker, self.subscribers, self._pool, self.uow_factory),
            *(look_within(look) for _, look in self._parts),
        )
        return {**health, **dict(zip((name for name, _ in self._parts), parts, strict=True))}

    def add_health_check(self, name: str, look: Callable[[], Awaitable[Any]]) -> None:
        """Show in the health what `look` returns; the service is ready whatever it says."""
        self._parts.append((name, look))

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.token_keys = keys_of(self.settings.token_keys.get_secret_value())
            if not self._stateless:
                self._pool = await self._open_pool()
                stack.push_async_callback(self._pool.close)
            await self._start_broker(stack)
            for name, step in self._background:
                task = asyncio.create_task(self._repeat(name, step), name=name)
                stack.push_async_callback(cancel_and_wait, task)
            self.on_ready()
            log.info("ready")
            yield
            log.info("stopping")

    async def _open_pool(self) -> Pool:
        url = self.settings.database_url
        if url is None:
            raise InvalidSettings(f"RETURPOST_DATABASE_URL or RETURPOST_{self.name.upper()}_DATABASE_URL is not set")
        return await connect(url.get_secret_value(), self.name, size=self.settings.database_pool)

    async def _start_broker(self, stack: AsyncExitStack) -> None:
        await stack.enter_async_context(self.broker.running())
        await self._wait_for_topology()
        if self._pool is None:
            self.uow_factory = DirectPublisher(self.publisher)
            recover = _nothing
        else:
            self.uow_factory = outbox = Outbox(self._pool, self.publisher)
            recover = outbox.drain_all
            self.background("outbox relay", outbox.relay)
        for subscriber in self.subscribers:
            subscriber.consumer.wire(self.uow_factory, self.publisher, recover)
        task = asyncio.create_task(self._repeat("pauses", partial(self.pauses.consume, self.broker.consuming)))
        stack.push_async_callback(cancel_and_wait, task)
        stack.push_async_callback(self._stop_subscribers)
        await self.pauses.wait()
        await start_all(self.subscribers, self.broker.consuming)

    def _pause(self, change: ConsumerPaused | ConsumerResumed) -> None:
        for subscriber in self.subscribers:
            if subscriber.consumer.queue == change.queue:
                subscriber.set_pause(change if isinstance(change, ConsumerPaused) else None)
                if isinstance(change, ConsumerResumed):
                    subscriber.consumer.breaker.resume()

    async def _stop_subscribers(self) -> None:
        await asyncio.gather(*(subscriber.stop() for subscriber in self.subscribers))

    async def _wait_for_topology(self) -> None:
        for tries in range(1_000_000):
            try:
                await self.broker.depths([REVOCATIONS, CONSUMERS, *(one.consumer.queue for one in self.subscribers)])
                return
            except ChannelClosed as error:
                if tries % 10 == 0:
                    log.warning("waiting for the topology: `returpost topology apply` declares it", error=str(error))
            except (Unavailable, *CONNECTION_ERRORS) as error:
                log.debug("waiting for RabbitMQ", error=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _repeat(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        HOLDS.set(True)
        while True:
            try:
                await step()
            except Exception as error:
                if is_infrastructure(error):
                    log.warning(
                        "background task paused: database or broker unavailable",
                        task=name,
                        error=f"{type(error).__name__}: {error}",
                    )
                else:
                    log.exception("background work failed, and is tried again", task=name)
                await asyncio.sleep(BACKGROUND_BACK_OFF)

    def _add_health(self) -> None:
        @self.app.get("/health/live", include_in_schema=False)
        async def live() -> dict[str, bool]:
            return {"ok": True}

        @self.app.get("/health/ready", tags=["health"], response_model=Health)
        async def ready() -> JSONResponse:
            """Whether this service can do its work now, and what it knows of its consumers, database, outbox, lag."""
            health = await self.health()
            return JSONResponse(health, 200 if health["ok"] else 503)

        @self.app.get("/metrics", include_in_schema=False)
        async def prometheus() -> Response:
            return metrics_response()


def run(create: Callable[[S], Service[S]], kind: type[S], name: str) -> None:
    """Run a service until it is told to stop. Exit code 2 for wrong settings."""
    try:
        settings = load(kind, name)
        configure_logging(name, settings.log_level, console=settings.log_console)
        configure_tracing(name, settings.otlp_endpoint, settings.trace_sample)
        service = create(settings)
        service.on_ready = tune_gc
    except InvalidSettings as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(2)
    serve(service.app, settings)


def tune_gc() -> None:
    """Tune the collector for a process that runs one service: what is frozen is never collected."""
    # Events have no cycles, and a batch has thousands: looking for cycles that often takes a tenth of the time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _do_nothing() -> None:
    """Outside a process of its own a service leaves the collector alone."""


async def _nothing() -> None:
    """A stateless service has nothing to recover."""
