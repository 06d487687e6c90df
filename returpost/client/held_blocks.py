"""The blocks of a tenant in memory, addresses and whole domains, and how they are looked up without a network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from returpost.client.address_table import FREE, AddressTable
from returpost.client.snapshot import Row
from returpost.contracts.addresses import domain_of, key, normalise
from returpost.contracts.domains import patterns_of
from returpost.contracts.enums import BlockCause, Reason
from returpost.errors import InvalidAddress, Unavailable

AT_ONCE: Final = 2_000
"""Addresses that are looked up together: so many stay in the caches of a processor."""
STRANGE_ENDS: Final = ".>"
"""How texts in ASCII end, but for empty ones, of which the key may be another than they are in lower case."""
PLAIN: Final = b"abcdefghijklmnopqrstuvwxyz0123456789@._+-\n"
MAX_DOMAINS: Final = 100_000
"""Looked-up domains that are remembered."""
DOMAIN: Final = "@"
"""What a row of a domain begins with, and no address does."""

Domains = dict[str, tuple[int, int]]
"""Version and code by pattern; a lifted one keeps its version, so that older news of it are recognised."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Why an address is skipped."""

    cause: BlockCause
    reason: Reason | None
    exempt_streams: frozenset[str] = frozenset()
    """Streams that may be mailed all the same."""
    streams: frozenset[str] = frozenset()
    """Streams that skip it; none: all."""

    def skipped_by(self, stream: str | None) -> bool:
        """Say whether mail of this stream skips it; without a stream, whether any does."""
        return stream is None or (stream in self.streams if self.streams else stream not in self.exempt_streams)


class HeldBlocks:
    """What is blocked, for look-ups from any thread while one writes."""

    def __init__(self) -> None:
        self._table: AddressTable | None = None
        self._domains: Domains = {}
        self._codes_of_domains: dict[str, int] = {}
        """Of the domains that were looked up since blocks of domains last changed; then it is another dictionary."""
        self._kinds: list[Blocked | None] = [None]
        self._codes: dict[tuple[str, str | None, tuple[str, ...], tuple[str, ...]], int] = {}

    def __contains__(self, address: str) -> bool:
        """Say whether an address is blocked, however it is written. Raises `Unavailable` before all is there once."""
        lowered, table = address.strip().lower(), self._table
        if table is None:
            table = self._held()
        # The table's own look-up, here: a call would take as long. Most look-ups end with the bit.
        bits, mask, slots, digests, salt, _, _ = table.state
        first = hash(lowered)
        bit = first & mask
        if not lowered or not lowered.isascii() or lowered[-1] in STRANGE_ENDS:
            return self._code(address) != FREE
        if bits[bit >> 3] >> (bit & 7) & 1:
            slot = first & mask >> 3
            while (at := slots[slot]) >= 0:
                if digests[at] == first and digests[at + 1] == hash(salt + lowered):
                    return True
                slot = slot + 1 & mask >> 3
        if self._domains:
            domain = lowered[lowered.rfind("@") + 1 :]
            known = self._codes_of_domains.get(domain)
            return (self._domain_code(domain) if known is None else known) != FREE
        return False

    def look_up(self, address: str, stream: str | None = None) -> Blocked | None:
        """Return why an address is skipped by a stream; nothing when it may be mailed. Raises `Unavailable`.

        Where its domain is blocked too, what blocks the address itself.
        """
        table, lowered = self._held(), _key(address)
        found = self._kinds[table.code(lowered)]
        if found is not None and found.skipped_by(stream):
            return found
        return self._kinds[self._domain_code(domain_of(lowered))] if self._domains else None

    def skip(self, addresses: Iterable[str], stream: str | None = None) -> list[str]:
        """Return those that a stream skips, as they are written; the fastest way to ask for many."""
        if stream is not None:
            return [address for address in self.skip(addresses) if self.look_up(address, stream)]
        table, written = self._held(), list(addresses)
        parts = (written[start : start + AT_ONCE] for start in range(0, len(written), AT_ONCE))
        return [address for part in parts for address in self._skip(table, part)]

    def __len__(self) -> int:
        """Return how many addresses are blocked, each for itself."""
        return 0 if self._table is None else len(self._table)

    @property
    def domains(self) -> list[str]:
        """Return the domains, and the patterns of subdomains, that are blocked."""
        return sorted(pattern for pattern, (_, code) in list(self._domains.items()) if code != FREE)

    @property
    def bytes(self) -> int:
        """Return the memory that the blocked addresses take."""
        return 0 if self._table is None else self._table.bytes

    def _held(self) -> AddressTable:
        if self._table is None:
            raise Unavailable("the mirror has had no snapshot yet; wait for `ready()`")
        return self._table

    def _code(self, address: str) -> int:
        table, lowered = self._held(), _key(address)
        return table.code(lowered) or (self._domain_code(domain_of(lowered)) if self._domains else FREE)

    def _domain_code(self, domain: str) -> int:
        """Return the code of the closest block that holds for a domain."""
        codes = self._codes_of_domains  # before the blocks are looked at, which may change meanwhile
        if domain in codes:
            return codes[domain]
        found = (self._domains.get(pattern, (0, FREE))[1] for pattern in patterns_of(domain))
        code = next((code for code in found if code != FREE), FREE)
        if len(codes) < MAX_DOMAINS:
            codes[domain] = code
        return code

    def _skip(self, table: AddressTable, written: Sequence[str]) -> Iterable[str]:
        joined = "\n".join(written).lower() + "\n"
        keys = joined.split("\n")[:-1]
        if (
            len(keys) != len(written)
            or not joined.isascii()
            or ".\n" in joined
            or joined.encode().translate(None, PLAIN)
        ):
            return [address for address in written if self._code(address)]
        places = [place for place in table.among(keys) if table.code(keys[place])]
        if self._domains:
            places = sorted({*places, *self._of_domains(keys)})
        return [written[place] for place in places]

    def _of_domains(self, keys: Sequence[str]) -> list[int]:
        """Return the places of the keys whose domain is blocked; each domain is tried once."""
        domains = [each[each.rfind("@") + 1 :] for each in keys]
        blocked = {domain for domain in set(domains) if self._domain_code(domain)}
        return [place for place, domain in enumerate(domains) if domain in blocked] if blocked else []

    def _put(self, table: AddressTable, domains: Domains, row: Row, floor: int) -> None:
        """Take in what became of an address or a domain; older news than what is known change nothing."""
        address, version, cause, reason, exempt_streams, streams = row
        code = FREE if cause is None else self._code_of(cause, reason, exempt_streams, streams)
        if not address.startswith(DOMAIN):
            table.put(address, version, code, floor)
            return
        pattern = address.removeprefix(DOMAIN)
        if version > domains.get(pattern, (floor - 1, FREE))[0]:
            domains[pattern] = (version, code)
            self._codes_of_domains = {}

    def _code_of(
        self,
        cause: str,
        reason: str | None,
        exempt_streams: Sequence[str] | None,
        streams: Sequence[str] | None,
    ) -> int:
        kind = (cause, reason, tuple(exempt_streams or ()), tuple(streams or ()))
        code = self._codes.get(kind)
        if code is None:
            why = Blocked(BlockCause(cause), Reason(reason) if reason else None, *map(frozenset, kind[2:]))
            self._kinds.append(why)
            code = self._codes[kind] = len(self._kinds) - 1
        return code


def _key(address: str) -> str:
    """Return the key of an address; of what is none, nothing that any has."""
    lowered = address.strip().lower()
    if lowered.isascii() and lowered[-1:] not in STRANGE_ENDS:
        return lowered
    try:
        return key(normalise(lowered))
    except InvalidAddress:
        return ""
