"""Work that gives way, and bodies in pieces."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given, strategies as st

from shared.pacing import PIECE, SLICE, in_pieces, paced

pytestmark = pytest.mark.anyio


def run(parts: list[bytes]) -> list[bytes]:
    async def given_parts() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def collect() -> list[bytes]:
        return [piece async for piece in in_pieces(given_parts())]

    return asyncio.run(collect())


@given(st.lists(st.integers(0, 3 * PIECE).map(lambda size: b"x" * size), max_size=8))
def test_pieces_are_the_same_bytes_and_never_long(parts: list[bytes]) -> None:
    pieces = run(parts)
    assert b"".join(pieces) == b"".join(parts)
    assert all(PIECE <= len(piece) < 2 * PIECE for piece in pieces[:-1])
    assert all(0 < len(piece) < 2 * PIECE for piece in pieces[-1:])


async def test_others_run_between_slices() -> None:
    seen = 0

    async def other() -> None:
        nonlocal seen
        while True:
            seen += 1
            await asyncio.sleep(0)

    def slow() -> Iterator[int]:
        for n in range(20):
            until = time.monotonic() + SLICE
            while time.monotonic() < until:
                pass
            yield n

    task = asyncio.create_task(other())
    assert [n async for n in paced(slow())] == list(range(20))
    task.cancel()
    assert seen >= 19
