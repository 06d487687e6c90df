"""Tokens of signatures that may be used once."""

from datetime import datetime

from services.ingest.webhooks.errors import Unauthenticated


class ReplayCache:
    """Tokens that were used, so that nobody uses them again; bounded, the oldest go first. One a process."""

    def __init__(self, limit: int = 200_000) -> None:
        self._used: dict[str, datetime] = {}
        self._limit = limit

    def take(self, token: str, until: datetime, now: datetime) -> None:
        """Use the token. Raises `Unauthenticated` when it has been used."""
        if self._used.get(token, now) > now:
            raise Unauthenticated("replayed", "signature: its token has been used before", final=True)
        self._used.pop(token, None)
        self._used[token] = until
        while len(self._used) > self._limit or (self._used and next(iter(self._used.values())) <= now):
            del self._used[next(iter(self._used))]

    def give_back(self, token: str) -> None:
        """Let the token be used again: what it came with was not taken."""
        self._used.pop(token, None)
