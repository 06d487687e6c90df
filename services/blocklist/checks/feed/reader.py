"""Reads the feed for many at once: equal questions are asked once, and one query a moment tells all what is new.

Versions of a tenant become visible in their order (`next_version` of the address states), so a version is a cursor: who
has read up to one has all before it. Of an address only the last event is told, so the feed is as long as there are
addresses and complete for ever.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from asyncpg import Record

from returpost.contracts.enums import UnblockCause
from returpost.errors import InvalidMessage
from services.blocklist.checks.feed import repository
from services.blocklist.checks.feed.repository import Head
from shared.database.pool import Pool

_CURSOR: Final = re.compile(r"(\d{1,18})\.(\d{1,18})")
POLL: Final = 0.02
"""Seconds between two looks at what is new while anybody waits; each is one look-up by key for all tenants."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has read, as a cursor says it: `<version>.<erased>`."""

    version: int = 0
    erased: int | None = None
    """The last erasure of a blocked address that the reader's copy takes account of; none: it has no copy."""

    def __str__(self) -> str:
        return f"{self.version}.{self.erased or 0}"


def place_of(cursor: str) -> Place:
    """Read a cursor; `0` and nothing stand for the beginning. Raises `InvalidMessage`."""
    if cursor in ("", "0"):
        return Place()
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidMessage(f"after: invalid cursor {cursor[:40]!r}; give `next_after` or the id of an event, or 0")
    return Place(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class FeedPage:
    """A part of the feed."""

    rows: list[Record]
    place: Place
    """To ask for what comes after it."""
    head: int
    """The last version that there was when it was read."""
    reset: bool
    """Whether it begins anew: what the reader has is to be replaced."""


class FeedReader:
    """The feeds of all tenants."""

    def __init__(self, pool: Callable[[], Pool]) -> None:
        """`pool` gives the database, which is opened when the service starts."""
        self._pool = pool
        self._asked: dict[tuple[str, Place, int], asyncio.Task[FeedPage]] = {}
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._heads: dict[str, int] = {}
        self._watching: asyncio.Task[None] | None = None

    async def read(self, tenant: str, after: Place, limit: int) -> FeedPage:
        """Return the next part; who asks what somebody else asks at the same time gets the same answer."""
        asked = (tenant, after, limit)
        task = self._asked.get(asked)
        if task is None:
            task = self._asked[asked] = asyncio.create_task(self._read(tenant, after, limit))
            task.add_done_callback(lambda _: self._asked.pop(asked, None))
        return await asyncio.shield(task)

    async def wait_beyond(self, tenant: str, version: int, seconds: float) -> bool:
        """Wait, at most so many seconds, until the tenant has a version above this one; return whether it has."""
        if self._heads.get(tenant, 0) > version:
            return True
        news = asyncio.get_running_loop().create_future()
        self._waiting[tenant].add(news)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.timeout(seconds):
                while self._heads.get(tenant, 0) <= version:
                    await asyncio.shield(news)
                    self._waiting[tenant].discard(news)
                    news = asyncio.get_running_loop().create_future()
                    self._waiting[tenant].add(news)
        except TimeoutError:
            return False
        finally:
            self._waiting[tenant].discard(news)
            if not self._waiting[tenant]:
                del self._waiting[tenant]
        return True

    async def _read(self, tenant: str, after: Place, limit: int) -> FeedPage:
        head = (await repository.heads(self._pool(), [tenant])).get(tenant, Head())
        # A place beyond the end is of a database that was since restored.
        reset = after.erased is not None and (head.erased > after.erased or 0 < head.version < after.version)
        begin = 0 if reset else after.version
        rows = await repository.events_after(self._pool(), tenant, begin, limit)
        place = Place(rows[-1]["version"] if rows else begin, head.erased)
        return FeedPage(rows, place, head.version, reset)

    async def _watch(self) -> None:
        """Look what is new for as long as anybody waits."""
        while self._waiting:
            found = await repository.heads(self._pool(), list(self._waiting))
            for tenant, head in found.items():
                if head.version != self._heads.get(tenant):
                    self._heads[tenant] = head.version
                    for each in self._waiting.get(tenant, ()):
                        if not each.done():
                            each.set_result(None)
            await asyncio.sleep(POLL)
        self._heads.clear()


def event_of(row: Record) -> dict[str, Any]:
    """Return what is told of one address, or of one domain."""
    of = "address" if row["domain"] is None else "domain"
    told = {of: row[of], "version": row["version"]}
    if row["cause"] is None:
        told |= {"type": f"{of}.unblocked", "cause": row["lift"] or UnblockCause.CLEARED, "time": row["at"]}
    else:
        told |= {
            "type": f"{of}.blocked",
            "cause": row["cause"],
            "causes": [row["cause"], *(row["also"] or ())],
            "reason": row["reason"],
            "time": row["since"],
            "until": row["until"],
            "mailing": row["mailing"],
            "return_count": row["return_count"],
            "streams": row["streams"] or [],
            "exempt_streams": row["exempt_streams"] or [],
        }
    return told | {"by": row["by"] or "blocklist", "note": row["note"] or ""}
