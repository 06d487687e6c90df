"""The process that makes one file: reads rows, writes pieces into the database, tells on its output how far it is.

It is told what to do by one line of JSON on its input (a secret in it is on no command line), and ends when its input
does: who started it has died then, and somebody else makes the file.
"""

import asyncio
import json
import os
import sys
import tempfile
import threading
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from services.actions.exports.columns import TITLES, Column, Language
from services.actions.exports.excel import Excel
from services.actions.exports.formats import STREAMED, Format, Look, Rows
from shared.database.queries import queries

Q = queries(Path(__file__).parents[1] / "sql" / "exports.sql")

PAGE = 5_000
"""Rows that are written at once, while as many are looked up."""
PIECE = 1024 * 1024
"""Bytes a piece, before it is compressed."""
NICE = 5
"""So much more readily does the process let others go first."""
LEVEL = 1
"""Of compression: a third of the size for a tenth of the time of the file."""


class Pieces:
    """The file in the database, piece by piece."""

    def __init__(self, connection: Any, operation: int, run: UUID, *, compress: bool) -> None:
        self._connection = connection
        self._place = (operation, run)
        self._compress = compress
        self._pending = bytearray()
        self.number = 0
        self.size = 0

    async def add(self, data: bytes) -> None:
        """Add to the file."""
        self._pending += data
        while len(self._pending) >= PIECE:
            await self._keep(bytes(self._pending[:PIECE]))
            del self._pending[:PIECE]

    async def end(self) -> None:
        """Keep what is left."""
        if self._pending:
            await self._keep(bytes(self._pending))
            self._pending.clear()

    async def _keep(self, data: bytes) -> None:
        stored = zlib.compress(data, LEVEL) if self._compress else data
        await self._connection.execute(Q["keep"], *self._place, self.number, stored)
        self.number += 1
        self.size += len(data)


async def make(told: Mapping[str, Any]) -> dict[str, Any]:
    """Make the file; return its number of pieces, size in bytes and rows."""
    reading, keeping = await _connect(told), await _connect(told)
    try:
        format_ = Format(told["format"])
        pieces = Pieces(keeping, told["operation"], UUID(told["run"]), compress=format_ is not Format.EXCEL)
        pages = _pages(reading, told)
        written = await (
            _excel(pieces, pages, look_of(told))
            if format_ is Format.EXCEL
            else _streamed(pieces, pages, look_of(told), format_)
        )
        return {"pieces": pieces.number, "size": pieces.size, "rows": written}
    finally:
        await asyncio.gather(reading.close(), keeping.close())


async def _connect(told: Mapping[str, Any]) -> Any:
    names = {"search_path": "actions", "application_name": "returpost-export"}
    return await asyncpg.connect(told["database_url"], server_settings=names)


def look_of(told: Mapping[str, Any]) -> Look:
    """Return how the file is to look."""
    columns = [Column(column) for column in told["columns"]]
    language = Language(told["language"])
    titles = [TITLES[language][column] for column in columns]
    return Look(columns, titles, ZoneInfo(told["time_zone"]), language, told["bom"], told["separator"])


async def _pages(connection: Any, told: Mapping[str, Any]) -> AsyncIterator[Rows]:
    """Yield the rows, page by page: while one is written, PostgreSQL looks up the next."""
    bounds = await connection.fetchrow(Q["bounds"], told["operation"])
    columns = [Column(column) for column in told["columns"]]
    statement = Q["page"].format(
        columns=", ".join(columns), recipient=Q["of_mailing" if bounds["recipients"] else "last_returned"]
    )

    async def page(start: int) -> Rows:
        rows: Rows = await connection.fetch(statement, told["operation"], start, start + PAGE, told["tenant"])
        return rows

    done, following = 0, asyncio.create_task(page(0))
    for start in range(PAGE, bounds["last"] + 1 + PAGE, PAGE):
        rows, following = await following, asyncio.create_task(page(start))
        await asyncio.sleep(0)  # so that it is asked for before the writer takes the processor
        yield rows
        done += len(rows)
        _say({"rows": done})
    await following


async def _streamed(pieces: Pieces, pages: AsyncIterator[Rows], look: Look, format_: Format) -> int:
    writer, written = STREAMED[format_](look), 0
    await pieces.add(writer.start())
    async for rows in pages:
        await pieces.add(writer.rows(rows))
        written += len(rows)
    await pieces.add(writer.end())
    await pieces.end()
    return written


async def _excel(pieces: Pieces, pages: AsyncIterator[Rows], look: Look) -> int:
    written = 0
    with tempfile.TemporaryFile(prefix="returpost-export-") as file:
        book = Excel(file, look)
        async for rows in pages:
            book.rows(rows)
            written += len(rows)
        book.close()
        file.seek(0)
        while data := file.read(PIECE):
            await pieces.add(data)
        await pieces.end()
    return written


def _say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Make one file."""
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICE)
    _say({"file": asyncio.run(make(told))})


if __name__ == "__main__":
    main()
