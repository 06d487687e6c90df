"""Which block of a domain holds for an address, and what that makes of the answer to a check."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from returpost.contracts.addresses import domain_of
from returpost.contracts.domains import patterns_of
from returpost.contracts.enums import BlockCause

ERASED: Final = "erased"
"""Cause of an address that is not blocked, and is skipped all the same."""


@dataclass(frozen=True, slots=True)
class DomainBlock:
    """One block of a domain or of its subdomains."""

    domain: str
    since: datetime
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Say whether it has not ended."""
        return self.until is None or self.until > now


class DomainBlocks:
    """The blocks of one tenant, by pattern."""

    def __init__(self, blocks: Iterable[DomainBlock] = (), version: int = 0) -> None:
        """`version` is the one at which they last changed."""
        self._blocks = {block.domain: block for block in blocks}
        self.version = version

    def __len__(self) -> int:
        return len(self._blocks)

    def of_domain(self, domain: str, now: datetime) -> DomainBlock | None:
        """Return the block that holds for a domain, the closest of several."""
        found = map(self._blocks.get, patterns_of(domain))
        return next((block for block in found if block is not None and block.holds(now)), None)

    def among(self, keys: Sequence[str], now: datetime) -> Iterator[tuple[int, DomainBlock]]:
        """Yield the index of each address whose domain is blocked, and by what; each domain is tried once."""
        if not self._blocks:
            return
        known: dict[str, DomainBlock | None] = {}
        for n, key in enumerate(keys):
            domain = domain_of(key)
            if domain not in known:
                known[domain] = self.of_domain(domain, now)
            if (block := known[domain]) is not None:
                yield n, block


def with_domain(row: Mapping[str, Any] | None, block: DomainBlock) -> dict[str, Any]:
    """Return what a check says of an address whose domain is blocked; `row` is what it says of the address itself.

    What blocks the address itself is reported, and the domain besides; that it was erased is not.
    """
    if row is None or row["cause"] == ERASED:
        said = {"cause": BlockCause.DOMAIN, "reason": None, "since": block.since, "until": block.until, "also": None}
        return said | {"domain": block.domain}
    return {**row, "also": [*(row["also"] or ()), BlockCause.DOMAIN], "domain": block.domain}
