"""A message as it came in, beneath aio-pika: what its `IncomingMessage` costs is paid by the few that need one."""

from typing import Any, cast

from aio_pika import IncomingMessage
from aiormq.abc import AbstractChannel, DeliveredMessage


class Arrival:
    """A message with what every batch reads of it; whatever else is asked for is aio-pika's to know."""

    __slots__ = ("_delivered", "_message", "body", "channel")

    def __init__(self, delivered: DeliveredMessage) -> None:
        self.body: bytes = delivered.body
        self.channel: AbstractChannel = delivered.channel
        self._delivered = delivered
        self._message: IncomingMessage | None = None

    @property
    def routing_key(self) -> str | None:
        """The key that it was published with."""
        return self._delivered.routing_key

    async def ack(self, multiple: bool = False) -> None:
        """Acknowledge it, or all up to it that came by its channel."""
        await self.channel.basic_ack(cast("int", self._delivered.delivery_tag), multiple=multiple)

    def __getattr__(self, name: str) -> Any:
        """Return what aio-pika's message has."""
        if self._message is None:
            self._message = IncomingMessage(self._delivered)
        return getattr(self._message, name)
