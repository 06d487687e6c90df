"""Handing in delivery results: confirmed by RabbitMQ, or safe in the spool until it is."""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import ChannelAccessRefused
from pydantic import ValidationError

from returpost.amqp.connections import CONNECTION_ERRORS, close, connect
from returpost.amqp.publisher import Message, Publisher as Confirming
from returpost.amqp.tasks import cancel_and_wait
from returpost.client.background import Background
from returpost.client.spool import Spool
from returpost.contracts import DeliveryResult, ids
from returpost.contracts.cloudevents import BATCHED, STRUCTURED, encode, event, explain
from returpost.contracts.routing import COMMANDS
from returpost.errors import InvalidMessage, InvalidSettings, Unavailable

A_MESSAGE: Final = 50
"""Results a message: the cost is the message, not the result (bench/README.md)."""
IN_FLIGHT: Final = 64
"""Messages that wait for their confirm at a time."""
SPOOL_INTERVAL: Final = 5.0
"""Seconds between tries to send what waits in the spool."""
Given = DeliveryResult | Mapping[str, Any]


class Publisher:
    """Hands in results of one sending system for one tenant.

    async with Publisher(url, "demo", "newsletter", spool=Path("spool")) as publisher:
        await publisher.publish([{"mailing": "n-48", "address": "ann@example.com", "result": "delivered", "time": now}])

    What `publish` has returned from is safe: confirmed by RabbitMQ, or in the spool, out of which it is sent as soon as
    RabbitMQ answers again, also by the next process that uses the folder. Publishing a result twice does no harm.
    """

    def __init__(self, url: str, tenant: str, sender: str = "default", *, spool: Path | Spool | None = None) -> None:
        """`spool` is a folder for what cannot be sent now; without one `publish` raises `Unavailable` then."""
        self._url = url
        self._tenant = tenant
        self._sender = sender
        self._spool = Spool(spool) if isinstance(spool, Path) else spool
        self._connection: AbstractConnection | None = None
        self._confirming: Confirming | None = None
        self._connecting = asyncio.Lock()
        self._draining: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Publisher":
        if self._spool is not None:
            self._draining = asyncio.create_task(self._drain_forever(self._spool))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._draining is not None:
            await cancel_and_wait(self._draining)
        await self._drop()

    async def publish(self, results: Iterable[Given]) -> int:
        """Hand in results and return how many; any iterable will do, also one that is longer than memory.

        Raises `InvalidMessage` that names the place and the field of a result that is wrong: those before it may have
        been handed in. Raises `Unavailable` when RabbitMQ is away and there is no spool, `SpoolFull` when that is full,
        `InvalidSettings` when RabbitMQ refuses the user.
        """
        bodies = self._bodies(results)
        total = 0
        while part := list(islice(bodies, IN_FLIGHT)):
            await self._send_or_keep([body for body, _ in part])
            total += sum(count for _, count in part)
        return total

    async def drain(self) -> int:
        """Send what waits in the spool, and return how many messages that was. Raises `Unavailable`."""
        sent = 0
        waiting = self._spool.waiting() if self._spool is not None else iter(())
        while part := list(islice(waiting, IN_FLIGHT)):
            await self._send([body for _, body in part])
            for path, _ in part:
                assert self._spool is not None  # noqa: S101 - it had them
                self._spool.sent(path)
            sent += len(part)
        return sent

    def _bodies(self, results: Iterable[Given]) -> Iterator[tuple[bytes, int]]:
        events = (self._event(n, given) for n, given in enumerate(results))
        while part := list(islice(events, A_MESSAGE)):
            yield encode(part)[0], len(part)

    def _event(self, n: int, given: Given) -> Any:
        own_id = given.get("id") if isinstance(given, Mapping) else None
        try:
            values = given if isinstance(given, DeliveryResult) else {"sender": self._sender, **given}
            result = DeliveryResult.model_validate(values)
        except ValidationError as error:
            raise InvalidMessage(f"result {n}: {explain(error)}") from None
        source = f"/senders/{self._sender}"
        identity = (
            ids.of_input(self._tenant, source, str(own_id))
            if own_id
            else ids.of_content(self._tenant, *result.model_dump().values())
        )
        return event(result, id=identity, source=source, tenant=self._tenant, subject=result.mailing)

    async def _send_or_keep(self, bodies: list[bytes]) -> None:
        try:
            await self._send(bodies)
        except Unavailable:
            if self._spool is None:
                raise
            for body in bodies:
                await asyncio.to_thread(self._spool.put, body)

    async def _send(self, bodies: list[bytes]) -> None:
        key = f"delivery.result.{self._tenant}.{self._sender}"
        messages = [Message(COMMANDS, key, body, BATCHED if body[:1] == b"[" else STRUCTURED) for body in bodies]
        confirming = await self._connected()
        try:
            returned = await confirming.publish(messages)
        except (Unavailable, ChannelAccessRefused) as error:
            await self._drop()
            refusal = error.__cause__ if isinstance(error, Unavailable) else error
            if not isinstance(refusal, ChannelAccessRefused):
                raise
            raise InvalidSettings(f"RabbitMQ does not let this user publish {key}: {refusal}") from None
        except AMQPError as error:
            await self._drop()
            raise Unavailable(f"RabbitMQ did not take the message: {error}") from None
        if returned:
            raise InvalidSettings(f"no queue takes {key}: has `returpost topology apply` been run at this broker?")

    async def _connected(self) -> Confirming:
        async with self._connecting:
            if self._confirming is None or self._connection is None or self._connection.is_closed:
                try:
                    self._connection = await connect(self._url)
                    channel = await self._connection.channel(on_return_raises=True)
                except CONNECTION_ERRORS as error:
                    raise Unavailable(f"RabbitMQ does not answer: {type(error).__name__}") from None
                self._confirming = Confirming(channel)
            return self._confirming

    async def _drop(self) -> None:
        connection, self._connection, self._confirming = self._connection, None, None
        if connection is not None:
            await close(connection)

    async def _drain_forever(self, spool: Spool) -> None:
        while True:
            with contextlib.suppress(Unavailable, InvalidSettings, OSError):
                await self.drain()
            await asyncio.sleep(SPOOL_INTERVAL)


class SyncPublisher:
    """The same for programs without asyncio: a thread of its own does the work. Safe to use from several threads.

    with SyncPublisher(url, "demo", "newsletter", spool=Path("spool")) as publisher:
        publisher.publish(results)
    """

    def __init__(self, url: str, tenant: str, sender: str = "default", *, spool: Path | Spool | None = None) -> None:
        self._given = (url, tenant, sender)
        self._spool = spool
        self._background = Background("returpost publisher")
        self._publisher: Publisher

    def __enter__(self) -> "SyncPublisher":
        self._background.start()
        self._publisher = self._background.run(self._enter())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._background.run(self._publisher.__aexit__(kind, error, trace))
        self._background.stop()

    def publish(self, results: Iterable[Given]) -> int:
        """Hand in results and return how many. Raises what `Publisher.publish` does."""
        return self._background.run(self._publisher.publish(results))

    def drain(self) -> int:
        """Send what waits in the spool, and return how many messages that was. Raises `Unavailable`."""
        return self._background.run(self._publisher.drain())

    async def _enter(self) -> Publisher:
        return await Publisher(*self._given, spool=self._spool).__aenter__()
