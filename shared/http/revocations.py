"""Revoked tokens: every service reads them from a stream, so that none has to ask another.

https://www.rabbitmq.com/docs/streams
"""

import time
from collections.abc import Callable, Container
from typing import Any

import structlog

from returpost.amqp.connections import open_connection
from returpost.amqp.streams import open_stream
from returpost.contracts import TokenRevoked
from returpost.contracts.cloudevents import Rejected, decode
from returpost.contracts.routing import REVOCATIONS
from returpost.errors import InvalidMessage

FORGET_ABOVE = 1_000
"""Ids from which on those that are over are looked for, each time that there are twice as many as were left."""

log = structlog.get_logger()


class Revocations(Container[object]):
    """The ids of tokens that are refused before they expire."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._ends: dict[str, float] = {}
        self._forget_at = FORGET_ABOVE
        self.consuming = False
        """Whether the stream is being read."""

    def __contains__(self, token: object) -> bool:
        return token in self._ends

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, revoked: TokenRevoked) -> None:
        """Refuse a token from now on, until it would have expired."""
        now = self._clock()
        if (end := revoked.expires_at.timestamp()) > now:
            self._ends[revoked.token] = end
        if len(self._ends) >= self._forget_at:
            self._ends = {token: end for token, end in self._ends.items() if end > now}
            self._forget_at = max(FORGET_ABOVE, 2 * len(self._ends))

    def add_all(self, body: bytes) -> None:
        """Add the revocations of a message; one that cannot be read is logged and skipped."""
        try:
            events, rejected = decode(TokenRevoked, body)
        except InvalidMessage as broken:
            events, rejected = [], [Rejected(body, str(broken))]
        for event in events:
            self.add(event.data)
        for item in rejected:
            log.error("revocation could not be read", stream=REVOCATIONS, error=item.error)

    async def consume(self, amqp_url: str) -> None:
        """Read the stream from its first event on. Raises `InvalidSettings`, one of `CONNECTION_ERRORS`."""
        try:
            async with (
                open_connection(amqp_url) as connection,
                open_stream(connection, "first", REVOCATIONS) as reader,
            ):
                self.consuming = True
                while True:
                    message = await reader.next()
                    self.add_all(message.body)
                    await message.ack()
        finally:
            self.consuming = False

    async def look(self) -> dict[str, Any]:
        """Return how many there are, and whether the stream is being read."""
        return {"revoked": len(self), "consuming": self.consuming}
