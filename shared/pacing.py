"""Long work gives way: between its slices the process answers whoever else asks."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

SLICE = 0.005
"""Seconds of work after which others are let in; health may wait for 0.25 s."""
PIECE = 16 * 1024
"""Bytes of a body that are read together."""

T = TypeVar("T")


async def paced(rows: Iterable[T]) -> AsyncIterator[T]:
    """Yield rows whose making and use take time; others are let in every `SLICE` seconds."""
    end = time.monotonic() + SLICE
    for row in rows:
        yield row
        if time.monotonic() >= end:
            await asyncio.sleep(0)
            end = time.monotonic() + SLICE


async def in_pieces(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes in pieces of `PIECE` to twice that, and a last one that may be shorter."""
    held, size = list[bytes](), 0
    async for part in parts:
        for start in range(0, len(part), PIECE):
            held.append(part[start : start + PIECE])
            size += len(held[-1])
            if size >= PIECE:
                yield b"".join(held)
                held, size = [], 0
                await asyncio.sleep(0)
    if held:
        yield b"".join(held)
