"""Who may be blocked: a few bits an address in memory, so that a long check asks the database about those alone.

A filter has every address of a tenant that was blocked when it was last brought up to date, and some that were not; it
never decides anything, it leaves out. It is brought up to date by what changed since, a little further back than the
last time: versions are times, and a transaction may commit a while after the time that it wrote. Of an erased address
there is only a hash, which no filter has: a tenant that skips who was erased has none.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from shared.database.pool import Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("snapshot.sql"))
CHECK = queries(Path(__file__).with_name("check.sql"))

PAGE: Final = 20_000
OVERLAP: Final = 120.0
"""Seconds before the last time: longer than a transaction takes and clocks differ."""
FRESH: Final = 1.0
"""Seconds for which a filter need not be brought up to date again."""
TENANTS: Final = 50
"""Filters that are kept: those that were used last."""
BITS: Final = 16
"""Bits an address, by which three to six in a hundred others pass."""
MIN_ADDRESSES: Final = 1 << 16
QUICK: Final = 2_000
"""Changes of the last minutes above which reading them takes longer than asking for the addresses themselves."""


class Filter:
    """One tenant's addresses by one bit each, at the place that the hash of the key says."""

    def __init__(self, addresses: int) -> None:
        size = MIN_ADDRESSES
        while size < addresses:
            size *= 2
        self._bits = bytearray(size * BITS // 8)
        self._mask = 8 * len(self._bits) - 1
        self._room = size
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether so many have been added that too many others pass."""
        return self._count > self._room

    def add(self, keys: Sequence[str]) -> None:
        """Add addresses; those that are in it already take no room."""
        bits, mask, new = self._bits, self._mask, 0
        for key in keys:
            place = hash(key) & mask
            byte, bit = place >> 3, 1 << (place & 7)
            if not bits[byte] & bit:
                bits[byte] |= bit
                new += 1
        self._count += new

    def among(self, keys: Sequence[str]) -> list[int]:
        """Return the places of the keys that may be blocked."""
        bits, mask = self._bits, self._mask
        return [n for n, key in enumerate(keys) if bits[(place := hash(key) & mask) >> 3] >> (place & 7) & 1]


class Prefilters:
    """The filters of the tenants whose long lists are checked."""

    def __init__(self, pool: Callable[[], Pool]) -> None:
        """`pool` gives the database, which is opened when the service starts."""
        self._pool = pool
        self._filters: OrderedDict[str, Filter] = OrderedDict()
        self._as_of: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._making: dict[str, asyncio.Task[Filter]] = {}

    async def of(self, tenant: str) -> Filter | None:
        """Return the filter of a tenant, up to date; the first time takes as long as reading all blocks does."""
        return None if await self._is_blind(tenant) else await self._up_to_date(tenant)

    async def _up_to_date(self, tenant: str) -> Filter:
        lock = self._locks.setdefault(tenant, asyncio.Lock())
        async with lock:
            found = self._filters.get(tenant)
            now = time.time()
            if found is None or found.full:
                found = await self._fill(tenant)
            elif now - self._as_of[tenant] > FRESH:
                await self._read(found, tenant, int((self._as_of[tenant] - OVERLAP) * 1_000_000))
            else:
                now = self._as_of[tenant]
            self._as_of[tenant] = now
            self._filters[tenant] = found
            self._filters.move_to_end(tenant)
            while len(self._filters) > TENANTS:
                self._filters.popitem(last=False)
            return found

    async def at_hand(self, tenant: str) -> Filter | None:
        """Return the filter of a tenant with all that is blocked now, when that is quick; else have it for later."""
        if await self._is_blind(tenant):
            return None
        found, as_of = self._filters.get(tenant), self._as_of.get(tenant, 0.0)
        now = time.time()
        if found is not None and not found.full:
            since = int((as_of - OVERLAP) * 1_000_000)
            rows = await self._pool().fetch(Q["keys_after"], tenant, since, "", QUICK)
            if len(rows) < QUICK:
                found.add([row["address"] for row in rows])
                self._as_of[tenant] = max(now, self._as_of[tenant])
                self._filters.move_to_end(tenant)
                return found
        if now - as_of > OVERLAP and tenant not in self._making:
            self._making[tenant] = making = asyncio.create_task(self._up_to_date(tenant))
            making.add_done_callback(lambda _: self._making.pop(tenant))
        return None

    async def _is_blind(self, tenant: str) -> bool:
        """Say whether there are some to skip whom a filter cannot know."""
        return bool(await self._pool().fetchval(CHECK["skips_erased"], tenant))

    async def _fill(self, tenant: str) -> Filter:
        count = await self._pool().fetchval(Q["count_blocked"], tenant)
        made = Filter(count + count // 4)
        await self._read(made, tenant, 0)
        return made

    async def _read(self, into: Filter, tenant: str, version: int) -> None:
        address = ""
        while rows := await self._pool().fetch(Q["keys_after"], tenant, version, address, PAGE):
            into.add([row["address"] for row in rows])
            version, address = rows[-1]["version"], rows[-1]["address"]
