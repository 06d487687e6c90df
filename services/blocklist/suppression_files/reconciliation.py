"""Compares a provider's suppression list with ours: what either side lacks."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from returpost.client.address_table import FREE, AddressTable
from returpost.contracts.addresses import key, normalise
from returpost.errors import InvalidAddress
from services.blocklist.checks import repository as checks
from services.blocklist.suppression_files import repository
from services.blocklist.suppression_files.entry import Entry
from services.blocklist.suppression_files.reader import Found, ListReader
from shared.database.pool import Pool
from shared.pacing import in_pieces, paced

PAGE: Final = 10_000


@dataclass(slots=True)
class Summary:
    """How the lists compare."""

    theirs: int = 0
    ours: int = 0
    both: int = 0
    missing_here: int = 0
    missing_there: int = 0
    invalid: int = 0


@dataclass(slots=True)
class Reconciliation:
    """One comparison; of their list it keeps digests alone."""

    pool: Pool
    tenant: str
    now: datetime
    summary: Summary = field(default_factory=Summary)
    _theirs: AddressTable = field(default_factory=AddressTable)

    async def missing_here(self, reader: ListReader, pieces: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
        """Yield what is on their list and not blocked with us; `lifted` says that we once lifted it."""
        async for piece in in_pieces(pieces):
            async for line in self._compare(reader.feed(piece)):
                yield line
        async for line in self._compare(reader.end()):
            yield line

    async def missing_there(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what is blocked with us and not on their list; to be asked after all of it has been read."""
        address = ""
        while rows := await repository.ours_after(self.pool, self.tenant, address, PAGE):
            address = rows[-1]["address"]
            self.summary.ours += len(rows)
            async for row in paced(rows):
                if self._theirs.code(row["address"]) == FREE:
                    self.summary.missing_there += 1
                    yield {"missing": "there", **row}

    async def _compare(self, found: Iterable[Found]) -> AsyncIterator[dict[str, Any]]:
        entries: dict[str, Entry] = {}
        async for each in paced(found):
            try:
                address = key(normalise(each.address)) if isinstance(each, Entry) else ""
            except InvalidAddress:
                address = ""
            if not address or not isinstance(each, Entry):
                self.summary.invalid += 1
            elif self._theirs.put(address, 1, 1):
                entries[address] = each
        if not entries:
            return
        self.summary.theirs += len(entries)
        blocked = await checks.to_skip(self.pool, self.tenant, list(entries), self.now, None)
        ours = {row["address"] for row in blocked}
        self.summary.both += len(ours)
        absent = [address for address in entries if address not in ours]
        lifted = await repository.lifted(self.pool, self.tenant, absent)
        async for address in paced(absent):
            entry = entries[address]
            self.summary.missing_here += 1
            yield {"missing": "here", "address": address, "cause": entry.cause, "reason": entry.reason,
                   "since": entry.time, "lifted": address in lifted}  # fmt: skip
