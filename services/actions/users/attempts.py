"""Proofs of who one is are slowed by the name and by the address that they come from.

An attempt counts as failed from its beginning on, in one transaction with looking at the count: a hundred at once are
evaluated as one after the other would be. A name that nobody has is slowed as one that somebody has.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from fastapi import HTTPException, Request

from services.actions.users import repository
from services.actions.users.domain import FREE_TRIES, FREE_TRIES_OF_ADDRESS, wait
from shared.database.pool import Pool

MAX_HASHES_AT_ONCE = 2
"""Each takes 64 MiB and a processor."""
MAX_WAITING = 20
"""Who may wait for a hash: two seconds, at 50 ms a hash and two at once, with a machine that is busy."""
FORGET_AFTER = timedelta(days=1)
"""Failures that are older count no more."""

T = TypeVar("T")


class Hashing:
    """Password hashes are worked out beside, a few at a time; who would have to wait long is refused."""

    def __init__(self) -> None:
        self._at_once = asyncio.Semaphore(MAX_HASHES_AT_ONCE)
        self._waiting = 0

    async def run(self, work_out: Callable[[], T]) -> T:
        """Return what it returns. Raises HTTP 503."""
        if self._waiting >= MAX_WAITING + MAX_HASHES_AT_ONCE:
            raise HTTPException(503, "too many are signing in; try again", {"Retry-After": "2"})
        self._waiting += 1
        try:
            async with self._at_once:
                return await asyncio.to_thread(work_out)
        finally:
            self._waiting -= 1


class Attempt:
    """One proof that is being checked; it has failed unless it is said to be right."""

    def __init__(self) -> None:
        self.is_right = False
        self.is_half = False
        """Right, and not enough: guesses of what is still to come go on to count."""


@asynccontextmanager
async def attempt(pool: Pool, name: str, address: str, now: datetime) -> AsyncIterator[Attempt]:
    """Check a proof of this name that comes from this address. Raises HTTP 429 when it is not taken yet.

    A right one makes the name as if nothing had happened, and for the address it is as if it had not been offered.
    """
    subjects = sorted([(_subject("name", name), FREE_TRIES), (_subject("address", address), FREE_TRIES_OF_ADDRESS)])
    if pause := await _begin(pool, subjects, now):
        seconds = str(int(pause.total_seconds()) + 1)
        raise HTTPException(429, "too many wrong passwords; wait a while", {"Retry-After": seconds})
    offered = Attempt()
    try:
        yield offered
    except HTTPException as refused:
        if refused.status_code == 503:  # nothing was checked
            await repository.take_back_attempt(pool, [subject for subject, _ in subjects])
        raise
    if offered.is_half:
        await repository.take_back_attempt(pool, [subject for subject, _ in subjects])
    elif offered.is_right:
        await repository.forget_attempts(pool, _subject("name", name))
        await repository.take_back_attempt(pool, [_subject("address", address)])


async def forget(pool: Pool, name: str) -> None:
    """Take the next proof of a name at once."""
    await repository.forget_attempts(pool, _subject("name", name))


def address_of(request: Request, proxies: tuple[str, ...]) -> str:
    """Return where a request comes from: who asks, or whom the last proxy that is trusted has heard it from."""
    client = request.client.host if request.client else ""
    heard = request.headers.get("x-forwarded-for", "").split(",")
    while client in proxies and heard:
        client = heard.pop().strip()[:100] or client
    return client


async def _begin(pool: Pool, subjects: list[tuple[bytes, int]], now: datetime) -> timedelta:
    async with pool.acquire() as connection, connection.transaction():
        rows = await repository.lock_attempts(connection, [subject for subject, _ in subjects], now, now - FORGET_AFTER)
        pauses = [wait(rows[subject][0], rows[subject][1], now, free) for subject, free in subjects]
        if not any(pauses):
            await repository.count_attempt(connection, [subject for subject, _ in subjects], now)
        return max(pauses)


def _subject(kind: str, value: str) -> bytes:
    return hashlib.sha256(f"{kind}:{value}".encode("utf-8", "surrogatepass")).digest()
