"""The blocks of domains in memory, so that a check of thousands of addresses asks the database for none of them."""

from collections import OrderedDict
from typing import Final

from services.blocklist.checks.domains import repository
from services.blocklist.checks.domains.domain import DomainBlocks
from shared.database.pool import Connection, Pool

TENANTS: Final = 200
"""Of so many tenants that have any they are kept: those that were used last."""


class KnownDomainBlocks:
    """The blocks of the tenants that check. Whether they are still the ones in force, each check says for itself."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, DomainBlocks] = OrderedDict()

    def at_hand(self, tenant: str) -> DomainBlocks:
        """Return what is known of a tenant; of one that nothing is known of, none as of the beginning."""
        found = self._known.get(tenant)
        if found is None:
            return DomainBlocks()
        self._known.move_to_end(tenant)
        return found

    async def current(self, source: Connection | Pool, tenant: str) -> DomainBlocks:
        """Return the blocks in force now."""
        found = self.at_hand(tenant)
        return found if found.version == await repository.changed(source, tenant) else await self.read(source, tenant)

    async def read(self, source: Connection | Pool, tenant: str) -> DomainBlocks:
        """Read a tenant's blocks anew."""
        found = self._known[tenant] = await repository.in_force(source, tenant)
        self._known.move_to_end(tenant)
        while len(self._known) > TENANTS:
            self._known.popitem(last=False)
        return found
