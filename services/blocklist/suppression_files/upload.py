"""A list comes in: its rows are read as they come and kept in parts, until it is whole."""

import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from services.blocklist.suppression_files.entry import Entry, Kind
from services.blocklist.suppression_files.reader import Found, ListReader
from shared.database.pool import Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("imports.sql"))

PART: Final = 5_000
"""Rows of a part."""


class Action(StrEnum):
    """What is done with the addresses of a list."""

    BLOCK = "block"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller wants done with a list."""

    tenant: str
    action: Action
    kind: Kind
    dry_run: bool
    by: str
    note: str
    name: str | None
    """The caller's own key for it: what comes under it again is the same list."""


async def receive(pool: Pool, wanted: Wanted, pieces: AsyncIterator[bytes], now: datetime) -> UUID:
    """Keep a list and have it worked off; return its id. What breaks off before its end is forgotten."""
    identity = uuid4()
    await pool.execute(
        Q["begin"], identity, wanted.tenant, wanted.name, wanted.action, wanted.dry_run, wanted.by, wanted.note, now
    )
    try:
        total = await _keep(pool, identity, wanted.kind, pieces)
    except BaseException:
        await pool.execute(Q["discard"], identity)
        raise
    await pool.execute(Q["received"], identity, now, total)
    return identity


async def _keep(pool: Pool, identity: UUID, kind: Kind, pieces: AsyncIterator[bytes]) -> int:
    reader, rows, total, parts = ListReader(kind), list[Found](), 0, 0
    async for piece in pieces:
        rows += reader.feed(piece)
        while len(rows) >= PART:
            await pool.execute(Q["add_part"], identity, parts, packed(rows[:PART]))
            total, parts, rows = total + PART, parts + 1, rows[PART:]
    rows += reader.end()
    for start in range(0, len(rows), PART):
        await pool.execute(Q["add_part"], identity, parts, packed(rows[start : start + PART]))
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
