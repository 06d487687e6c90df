"""The upload of a list: its rows are read as they come and kept in parts, until it is whole."""

import json
import zlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from services.blocklist.suppression_files import repository
from services.blocklist.suppression_files.entry import Entry, Kind
from services.blocklist.suppression_files.reader import Found, ListReader
from services.blocklist.suppression_files.repository import ImportRequest
from shared.database.pool import Pool
from shared.pacing import in_pieces, paced

PART: Final = 5_000
"""Rows of a part."""


async def receive(pool: Pool, request: ImportRequest, pieces: AsyncIterator[bytes], now: datetime) -> UUID:
    """Keep a list and have it applied; return its id. What breaks off before its end is forgotten."""
    identity = uuid4()
    await repository.begin(pool, identity, request, now)
    try:
        total = await _keep(pool, identity, request.kind, pieces)
    except BaseException:
        await repository.discard(pool, identity)
        raise
    await repository.received(pool, identity, now, total)
    return identity


async def _keep(pool: Pool, identity: UUID, kind: Kind, pieces: AsyncIterator[bytes]) -> int:
    reader, rows, total, parts = ListReader(kind), list[Found](), 0, 0
    async for piece in in_pieces(pieces):
        rows += [row async for row in paced(reader.feed(piece))]
        while len(rows) >= PART:
            await repository.add_part(pool, identity, parts, packed(rows[:PART]))
            total, parts, rows = total + PART, parts + 1, rows[PART:]
    rows += [row async for row in paced(reader.end())]
    for start in range(0, len(rows), PART):
        await repository.add_part(pool, identity, parts, packed(rows[start : start + PART]))
        parts += 1
    return total + len(rows)


def packed(rows: list[Found]) -> bytes:
    """Return rows as they are kept: short, since they soon go."""
    return zlib.compress(json.dumps([_values(row) for row in rows]).encode(), 1)


def _values(found: Found) -> list[object]:
    if not isinstance(found, Entry):
        return [found.row, found.problem]
    time = found.time.isoformat() if found.time else None
    return [found.row, found.address, found.cause, found.reason, time, found.note]
