"""Tokens of signatures that may be used once."""

from datetime import datetime
from typing import Protocol

from services.ingest.webhooks.errors import Unauthenticated

REPLAYED = "signature: its token has been used before"


class UsedTokens(Protocol):
    """Tokens that were used, so that nobody uses them again."""

    def take(self, token: str, until: datetime, now: datetime) -> None:
        """Use the token, which is good until then. Raises `Unauthenticated` when it has been used or is in use."""
        ...

    def keep(self, token: str) -> None:
        """Let it stay used: what it came with was taken."""
        ...

    def give_back(self, token: str) -> None:
        """Let the token be used again: what it came with was not taken."""
        ...


class ReplayCache:
    """In the memory of one process; bounded, the oldest go first."""

    def __init__(self, limit: int = 200_000) -> None:
        self._used: dict[str, datetime] = {}
        self._limit = limit

    def take(self, token: str, until: datetime, now: datetime) -> None:
        if self._used.get(token, now) > now:
            raise Unauthenticated("replayed", REPLAYED, final=True)
        self._used.pop(token, None)
        self._used[token] = until
        while len(self._used) > self._limit or (self._used and next(iter(self._used.values())) <= now):
            del self._used[next(iter(self._used))]

    def keep(self, token: str) -> None:
        """It is used from the beginning: when the process is killed, nobody remembers it."""

    def give_back(self, token: str) -> None:
        self._used.pop(token, None)
