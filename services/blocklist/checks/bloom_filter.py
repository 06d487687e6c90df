"""Who may be blocked: a Bloom filter in memory, so that a long check asks the database about those alone.

A filter has every address of a tenant that was blocked when it was last brought up to date, and some that were not; it
never decides anything, it leaves out. It is brought up to date by what changed since, a little further back than the
last time: versions are times, and a transaction may commit a while after the time that it wrote. Of an erased address
there is only a hash, which no filter has: a tenant that skips who was erased has none.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from rbloom import Bloom

from services.blocklist.checks import repository
from shared.database.pool import Pool

PAGE: Final = 20_000
OVERLAP: Final = 120.0
"""Seconds before the last time: longer than a transaction takes and clocks differ."""
FRESH: Final = 1.0
"""Seconds for which a filter need not be brought up to date again."""
TENANTS: Final = 50
"""Filters that are kept: those that were used last."""
FALSE_POSITIVES: Final = 0.01
"""Share of other addresses that pass when a filter is full; it takes ten bits an address."""
MIN_ADDRESSES: Final = 1 << 16
QUICK: Final = 2_000
"""Changes of the last minutes above which reading them takes longer than asking for the addresses themselves."""


class Filter:
    """One tenant's addresses."""

    def __init__(self, addresses: int) -> None:
        self._room = max(addresses, MIN_ADDRESSES)
        self._bloom = Bloom(self._room, FALSE_POSITIVES)

    @property
    def full(self) -> bool:
        """Whether so many have been added that too many others pass."""
        return self._bloom.approx_items > self._room

    def add(self, keys: Sequence[str]) -> None:
        """Add addresses; those that are in it already take no room."""
        self._bloom.update(keys)

    def among(self, keys: Sequence[str]) -> list[int]:
        """Return the indexes of the keys that may be blocked."""
        bloom = self._bloom
        return [n for n, key in enumerate(keys) if key in bloom]


class BloomFilters:
    """The filters of the tenants whose long lists are checked."""

    def __init__(self, pool: Callable[[], Pool]) -> None:
        """`pool` gives the database, which is opened when the service starts."""
        self._pool = pool
        self._filters: OrderedDict[str, Filter] = OrderedDict()
        self._as_of: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._filling: dict[str, asyncio.Task[Filter]] = {}

    async def of(self, tenant: str) -> Filter | None:
        """Return the filter of a tenant, up to date; the first time takes as long as reading all blocks does."""
        return None if await repository.skips_erased(self._pool(), tenant) else await self._up_to_date(tenant)

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
        """Return the filter of a tenant with all that is blocked now, when that is quick; else fill it for later."""
        if await repository.skips_erased(self._pool(), tenant):
            return None
        found, as_of = self._filters.get(tenant), self._as_of.get(tenant, 0.0)
        now = time.time()
        if found is not None and not found.full:
            since = int((as_of - OVERLAP) * 1_000_000)
            rows = await repository.keys_after(self._pool(), tenant, since, "", QUICK)
            if len(rows) < QUICK:
                found.add([row["address"] for row in rows])
                self._as_of[tenant] = max(now, self._as_of[tenant])
                self._filters.move_to_end(tenant)
                return found
        if now - as_of > OVERLAP and tenant not in self._filling:
            self._filling[tenant] = filling = asyncio.create_task(self._up_to_date(tenant))
            filling.add_done_callback(lambda _: self._filling.pop(tenant))
        return None

    async def _fill(self, tenant: str) -> Filter:
        count = await repository.count_blocked(self._pool(), tenant)
        filter_ = Filter(count + count // 4)
        await self._read(filter_, tenant, 0)
        return filter_

    async def _read(self, into: Filter, tenant: str, version: int) -> None:
        address = ""
        while rows := await repository.keys_after(self._pool(), tenant, version, address, PAGE):
            into.add([row["address"] for row in rows])
            version, address = rows[-1]["version"], rows[-1]["address"]
