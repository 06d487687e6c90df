"""A table of addresses that does not hold the addresses: two 64-bit digests of each, a version and a code.

About 40 bytes an address, where a set of strings takes 130. The first digest is Python's own hash of strings, keyed at
random in each process and the fastest there is; the second is the same hash of the address behind a salt of the table's
own: SipHash is a pseudo-random function, whose values of two texts tell nothing of each other. That two addresses share
both has a probability of 2^-128 a pair: for what we do, the table is exact.
"""

import secrets
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

FREE = 0
"""Code of an address that is in the table for its version alone."""
MIN_SLOTS = 1 << 10
REMEMBERED = 3_600_000_000
"""For how long free addresses are kept, in the microseconds that versions are: news come late by minutes."""
_EMPTY = -1


class State(NamedTuple):
    """All arrays, exchanged as one, so that a look-up in another thread sees the old ones or the new ones."""

    bits: bytearray
    """One bit by the first digest, sixteen an address: most look-ups end here, in memory that caches hold."""
    bits_mask: int
    mask: int
    slots: "array[int]"
    """By the first digest, with open addressing: the place in the arrays below."""
    firsts: "array[int]"
    seconds: "array[int]"
    versions: "array[int]"
    codes: "array[int]"


class AddressTable:
    """Code and version by address. One thread may write while others look up.

    Addresses are given by their `shared.addresses.key`. A code is 1 to 65535; `FREE` says that the address is not among
    those that matter, and keeps its version, so that older news of it are recognised.
    """

    def __init__(self, expected: int = 0) -> None:
        """`expected` addresses go in without the table having to grow."""
        self._salt = secrets.token_hex(16)
        self.state = _fresh(expected)
        """For who looks up by itself, since a call takes as long as a look-up. Replaced as a whole."""
        self._free = 0

    def __len__(self) -> int:
        """Return how many addresses have a code."""
        return len(self.state.firsts) - self._free

    def code(self, key: str) -> int:
        """Return the code of an address, `FREE` when it has none."""
        bits, bits_mask, mask, slots, firsts, seconds, _, codes = self.state
        first = hash(key)
        if not bits[first >> 3 & bits_mask] >> (first & 7) & 1:
            return FREE
        slot = first & mask
        while (place := slots[slot]) >= 0:
            if firsts[place] == first and seconds[place] == hash(self._salt + key):
                return codes[place]
            slot = (slot + 1) & mask
        return FREE

    def among(self, keys: Sequence[str]) -> list[int]:
        """Return the places of the keys that may have a code: all that have, and a few in a hundred that have not."""
        bits, mask = self.state.bits, self.state.bits_mask
        return [n for n, key in enumerate(keys) if bits[(first := hash(key)) >> 3 & mask] >> (first & 7) & 1]

    def put(self, key: str, version: int, code: int, floor: int = 0) -> bool:
        """Set the code of an address, unless it has a version as high already; say whether it was set.

        One that is not in the table is taken in from the version `floor` on: what is older was known when the table
        was made.
        """
        state = self.state
        first, second = hash(key), hash(self._salt + key)
        slot = first & state.mask
        while (place := state.slots[slot]) >= 0:
            if state.firsts[place] == first and state.seconds[place] == second:
                return self._replace(place, version, code)
            slot = (slot + 1) & state.mask
        if version < floor:
            return False
        place = len(state.firsts)
        state.firsts.append(first)
        state.seconds.append(second)
        state.versions.append(version)
        state.codes.append(code)
        state.slots[slot] = place
        state.bits[first >> 3 & state.bits_mask] |= 1 << (first & 7)  # last: from here on it can be found
        self._free += code == FREE
        if 2 * place > state.mask:
            self.compact(version - REMEMBERED)
        return True

    def compact(self, forget: int = 0) -> None:
        """Make the table as small as it can be; free addresses with a version below `forget` are dropped."""
        old = self.state
        places = array("i", (n for n, code in enumerate(old.codes) if code or old.versions[n] >= forget))
        new = _fresh(len(places))
        for place in places:
            slot = old.firsts[place] & new.mask
            while new.slots[slot] >= 0:
                slot = (slot + 1) & new.mask
            new.slots[slot] = len(new.firsts)
            new.firsts.append(old.firsts[place])
            new.seconds.append(old.seconds[place])
            new.versions.append(old.versions[place])
            new.codes.append(old.codes[place])
            new.bits[old.firsts[place] >> 3 & new.bits_mask] |= 1 << (old.firsts[place] & 7)
        self.state = new
        self._free = sum(1 for code in new.codes if code == FREE)

    @property
    def bytes(self) -> int:
        """Return the memory that the table takes."""
        return sum(part.__sizeof__() for part in self.state if isinstance(part, array | bytearray))

    def codes(self) -> Iterator[int]:
        """Yield the code of every address that has one."""
        return (code for code in self.state.codes if code != FREE)

    def _replace(self, place: int, version: int, code: int) -> bool:
        state = self.state
        if version <= state.versions[place]:
            return False
        self._free += (code == FREE) - (state.codes[place] == FREE)
        state.versions[place] = version
        state.codes[place] = code
        return True


def _fresh(expected: int) -> State:
    size = MIN_SLOTS
    while size < 2 * (expected + 1):
        size *= 2
    slots = array("i", [_EMPTY]) * size
    return State(bytearray(size), size - 1, size - 1, slots, array("q"), array("q"), array("q"), array("H"))
