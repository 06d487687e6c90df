"""Tokens that were revoked: every service reads of them in a stream, so that none asks another who may come in.

https://www.rabbitmq.com/docs/streams
"""

import asyncio
import time
from collections.abc import Container
from typing import Any

import orjson
import structlog

from shared.connections import AWAY, connected
from shared.contracts import TokenRevoked
from shared.errors import InvalidSettings, ReturpostError
from shared.streams import attached
from shared.topology import REVOCATIONS

FORGET_ABOVE = 1_000
"""Ids from which on those that are over are looked for at each new one."""
PAUSE = 2.0
"""Seconds until the stream is tried again."""

log = structlog.get_logger()


class Revocations(Container[object]):
    """The ids of the tokens that are refused though their time is not over."""

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}
        self._looked_at = 0.0
        self.following = False
        """Whether what is revoked now is heard of."""

    def __contains__(self, token: object) -> bool:
        return token in self._ends

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, revoked: TokenRevoked) -> None:
        """Refuse a token from now on, until it would have ended by itself."""
        now = time.time()
        if len(self._ends) >= FORGET_ABOVE and now > self._looked_at + 60:
            self._ends = {token: end for token, end in self._ends.items() if end > now}
            self._looked_at = now
        if (end := revoked.expires_at.timestamp()) > now:
            self._ends[revoked.token] = end

    async def follow(self, amqp_url: str) -> None:
        """Read the stream from its first event on, until RabbitMQ goes away; then wait a while."""
        try:
            async with connected(amqp_url) as connection, attached(connection, "first", REVOCATIONS) as arriving:
                self.following = True
                while True:
                    message = await arriving.next()
                    for data in _told(message.body):
                        self.add(data)
                    await message.ack()
        except (*AWAY, InvalidSettings) as error:
            log.warning("revoked tokens are not heard of", error=f"{type(error).__name__}: {error}")
        finally:
            self.following = False
        await asyncio.sleep(PAUSE)

    async def look(self) -> dict[str, Any]:
        """Say how many there are, and whether they are heard of."""
        return {"revoked": len(self), "following": self.following}


def _told(body: bytes) -> list[TokenRevoked]:
    """Return what a message says; the stream is written by one service alone, in one form."""
    events = orjson.loads(body)
    found = []
    for event in events if isinstance(events, list) else [events]:
        try:
            found.append(TokenRevoked.model_validate(event["data"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ReturpostError(f"{REVOCATIONS}: not a {TokenRevoked.TYPE}: {type(error).__name__}") from None
    return found
