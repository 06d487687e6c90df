"""The check over RabbitMQ, for senders that have no way to the HTTP API."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import DeliveryError, PublishError

from returpost.amqp.connections import CONNECTION_ERRORS, open_connection
from returpost.contracts import AddressCheck
from returpost.contracts.cloudevents import STRUCTURED, encode, event
from returpost.contracts.routing import COMMANDS
from returpost.errors import InvalidMessage, InvalidSettings, Unavailable

REPLIES: Final = "amq.rabbitmq.reply-to"
"""https://www.rabbitmq.com/docs/direct-reply-to: needs no queue of the asker's own."""
PATIENCE: Final = 30.0


class Checks:
    """Asks whom to skip, by questions and answers over RabbitMQ.

    async with Checks(url, "demo") as checks:
        answer = await checks.check(["ann@example.com", "bob@example.com"])
        skip = {one["address"] for one in answer["skip"]}
    """

    def __init__(self, url: str, tenant: str) -> None:
        self._url, self._tenant = url, tenant
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._channel: AbstractChannel | None = None

    async def __aenter__(self) -> "Checks":
        self._connecting = open_connection(self._url)
        try:
            connection = await self._connecting.__aenter__()
            self._channel = await connection.channel(on_return_raises=True)
            replies = await self._channel.get_queue(REPLIES, ensure=False)
            await replies.consume(self._hear, no_ack=True)
        except CONNECTION_ERRORS as error:
            raise Unavailable(f"RabbitMQ does not answer: {type(error).__name__}") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connecting.__aexit__(None, None, None)

    async def check(self, addresses: Sequence[str], stream: str | None = None) -> dict[str, Any]:
        """Return what `POST /v1/check` does: `skip` with causes and reasons, and `invalid`; up to 10,000 at once.

        Raises `Unavailable` when no answer comes, `InvalidMessage` when the question is wrong.
        """
        identity = uuid4().hex
        data = AddressCheck(addresses=list(addresses), stream=stream)
        body, _ = encode([event(data, id=identity, source="/clients", tenant=self._tenant)])
        expires = PATIENCE
        message = aio_pika.Message(
            body, content_type=STRUCTURED, reply_to=REPLIES, correlation_id=identity, expiration=expires,
            timestamp=datetime.now(UTC),
        )  # fmt: skip
        answer = self._waiting[identity] = asyncio.get_running_loop().create_future()
        try:
            assert self._channel is not None  # noqa: S101 - entered
            exchange = await self._channel.get_exchange(COMMANDS, ensure=False)
            await exchange.publish(message, f"address.check.{self._tenant}", timeout=PATIENCE)
            async with asyncio.timeout(PATIENCE):
                found: dict[str, Any] = json.loads(await answer)
        except PublishError:
            raise InvalidSettings("no queue takes questions: has `returpost topology apply` been run?") from None
        except (*CONNECTION_ERRORS, DeliveryError) as error:
            raise Unavailable(f"no answer: {type(error).__name__}") from None
        finally:
            del self._waiting[identity]
        if "problem" in found:
            raise InvalidMessage(found["problem"])
        return found

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        waiting = self._waiting.get(message.correlation_id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(message.body)
