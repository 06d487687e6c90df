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
    mask: int
    """Of the bits; of the slots, of which there are an eighth as many, it is `mask >> 3`."""
    slots: "array[int]"
    """By the first digest, with open addressing: where in `digests` the address has its two."""
    digests: "array[int]"
    """The first and the second of each address, side by side since they are read together. The second of an address
    that is free is inverted, so that a look-up passes it by."""
    salt: str
    """What stands before an address for its second digest."""
    versions: "array[int]"
    codes: "array[int]"


class AddressTable:
    """Code and version by address. One thread may write while others look up.

    Addresses are given by their `returpost.contracts.addresses.key`. A code is 1 to 65535; `FREE` says
    that the address is not among those that matter, and keeps its version, so that older news of it are recognised.
    """

    def __init__(self, expected: int = 0) -> None:
        """`expected` addresses go in without the table having to grow."""
        self.state = _fresh(expected, secrets.token_hex(16))
        """For who looks up by itself, since a call takes as long as a look-up. Replaced as a whole."""
        self._free = 0

    def __len__(self) -> int:
        """Return how many addresses have a code."""
        return len(self.state.codes) - self._free

    def code(self, key: str) -> int:
        """Return the code of an address, `FREE` when it has none."""
        state = self.state
        at, second = self._find(state, key)
        return state.codes[at >> 1] if at >= 0 and state.digests[at + 1] == second else FREE

    def among(self, keys: Sequence[str]) -> list[int]:
        """Return the places of the keys that may have a code: all that have, and a few in a hundred that have not."""
        bits, mask = self.state.bits, self.state.mask
        return [n for n, key in enumerate(keys) if bits[(bit := hash(key) & mask) >> 3] >> (bit & 7) & 1]

    def put(self, key: str, version: int, code: int, floor: int = 0) -> bool:
        """Set the code of an address, unless it has a version as high already; say whether it was set.

        One that is not in the table is taken in from the version `floor` on: what is older was known when the table
        was made.
        """
        state = self.state
        at, second = self._find(state, key)
        if at >= 0:
            return self._replace(state, at, second, version, code)
        if version < floor:
            return False
        _append(state, hash(key), second if code else ~second, version, code)
        self._free += code == FREE
        if 2 * len(state.codes) > len(state.slots):
            self.compact(version - REMEMBERED)
        return True

    def compact(self, forget: int = 0) -> None:
        """Make the table as small as it can be; free addresses with a version below `forget` are dropped."""
        old = self.state
        kept = array("i", (n for n, code in enumerate(old.codes) if code or old.versions[n] >= forget))
        new = _fresh(len(kept), old.salt)
        for n in kept:
            _append(new, old.digests[2 * n], old.digests[2 * n + 1], old.versions[n], old.codes[n])
        self.state = new
        self._free = sum(1 for code in new.codes if code == FREE)

    @property
    def bytes(self) -> int:
        """Return the memory that the table takes."""
        return sum(part.__sizeof__() for part in self.state if isinstance(part, array | bytearray))

    def codes(self) -> Iterator[int]:
        """Yield the code of every address that has one."""
        return (code for code in self.state.codes if code != FREE)

    def _find(self, state: State, key: str) -> tuple[int, int]:
        """Return where the digests of an address are, -1 when nowhere, and its second one."""
        first, second = hash(key), hash(state.salt + key)
        mask = state.mask >> 3
        slot = first & mask
        while (at := state.slots[slot]) >= 0:
            if state.digests[at] == first and state.digests[at + 1] in (second, ~second):
                break
            slot = slot + 1 & mask
        return at, second

    def _replace(self, state: State, at: int, second: int, version: int, code: int) -> bool:
        n = at >> 1
        if version <= state.versions[n]:
            return False
        self._free += (code == FREE) - (state.codes[n] == FREE)
        state.versions[n] = version
        state.codes[n] = code
        state.digests[at + 1] = second if code else ~second
        return True


def _append(state: State, first: int, second: int, version: int, code: int) -> None:
    mask = state.mask >> 3
    slot = first & mask
    while state.slots[slot] >= 0:
        slot = slot + 1 & mask
    at = len(state.digests)
    state.digests.append(first)
    state.digests.append(second)
    state.versions.append(version)
    state.codes.append(code)
    state.slots[slot] = at
    bit = first & state.mask
    state.bits[bit >> 3] |= 1 << (bit & 7)  # last: from here on it can be found


def _fresh(expected: int, salt: str) -> State:
    size = MIN_SLOTS
    while size < 2 * (expected + 1):
        size *= 2
    slots = array("i", [_EMPTY]) * size
    return State(bytearray(size), 8 * size - 1, slots, array("q"), salt, array("q"), array("H"))
