"""The subprocess that writes one file: reads rows, writes pieces into the database, prints its progress.

Its order is one line of JSON on its input (so that the secret in it is on no command line). It ends when its input
does: the worker that started it has died then, and another one writes the file.
"""

import asyncio
import json
import os
import sys
import tempfile
import threading
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.actions.operations.exports.columns import TITLES, Column, Language
from services.actions.operations.exports.excel import Excel
from services.actions.operations.exports.formats import STREAMED, FileLayout, Format, Rows
from services.actions.operations.exports.repository import ExportConnection, Run

PAGE_ROWS = 5_000
"""Rows that are written at once, while the next are read."""
PIECE_BYTES = 1024 * 1024
"""Bytes a piece, before it is compressed."""
NICENESS = 5
COMPRESSION_LEVEL = 1
"""A third of the size for a tenth of the time of the file."""


class Pieces:
    """The file in the database, piece by piece."""

    def __init__(self, connection: ExportConnection, run: Run, *, compress: bool) -> None:
        self._connection = connection
        self._run = run
        self._compress = compress
        self._pending = bytearray()
        self.number = 0
        self.size = 0

    async def add(self, data: bytes) -> None:
        """Add to the file."""
        self._pending += data
        while len(self._pending) >= PIECE_BYTES:
            await self._write(bytes(self._pending[:PIECE_BYTES]))
            del self._pending[:PIECE_BYTES]

    async def end(self) -> None:
        """Write what is left."""
        if self._pending:
            await self._write(bytes(self._pending))
            self._pending.clear()

    async def _write(self, data: bytes) -> None:
        stored = zlib.compress(data, COMPRESSION_LEVEL) if self._compress else data
        await self._connection.add_piece(self._run, self.number, stored)
        self.number += 1
        self.size += len(data)


async def write_file(order: Mapping[str, Any]) -> dict[str, Any]:
    """Write the file; return its number of pieces, size in bytes and rows."""
    reading, writing = [await ExportConnection.open(order["database_url"]) for _ in range(2)]
    try:
        format_, layout = Format(order["format"]), layout_of(order)
        run = Run(order["operation"], UUID(order["run"]))
        pieces = Pieces(writing, run, compress=format_ is not Format.EXCEL)
        pages = _pages(reading, order)
        written = await (
            _excel(pieces, pages, layout) if format_ is Format.EXCEL else _streamed(pieces, pages, layout, format_)
        )
        return {"pieces": pieces.number, "size": pieces.size, "rows": written}
    finally:
        await asyncio.gather(reading.close(), writing.close())


def layout_of(order: Mapping[str, Any]) -> FileLayout:
    """Return the layout of the file."""
    columns = [Column(column) for column in order["columns"]]
    language = Language(order["language"])
    titles = [TITLES[language][column] for column in columns]
    zone, headings = ZoneInfo(order["time_zone"]), order["headings"]
    return FileLayout(columns, titles, zone, language, order["bom"], order["separator"], headings)


def labelled(rows: Rows, columns: Sequence[str], labels: Mapping[str, Mapping[str, str]]) -> Rows:
    """Return rows with the values of some columns as they are called; what has no label stays as it is."""
    if not labels:
        return rows
    named = [labels.get(column, {}) for column in columns]
    return [
        [label.get(value, value) if label else value for value, label in zip(row, named, strict=True)] for row in rows
    ]


async def _pages(connection: ExportConnection, order: Mapping[str, Any]) -> AsyncIterator[Rows]:
    """Yield the rows, page by page: while one is written, PostgreSQL looks up the next."""
    operation, columns = order["operation"], [Column(column) for column in order["columns"]]
    bounds = await connection.bounds(operation)

    async def page(start: int) -> Rows:
        span = range(start, start + PAGE_ROWS)
        rows = await connection.rows(operation, order["tenant"], span, columns, recipients=bounds.recipients)
        return labelled(rows, columns, order["labels"])

    done, following = 0, asyncio.create_task(page(0))
    for start in range(PAGE_ROWS, bounds.last + 1 + PAGE_ROWS, PAGE_ROWS):
        rows, following = await following, asyncio.create_task(page(start))
        await asyncio.sleep(0)  # so that the query is sent before the writer takes the processor
        yield rows
        done += len(rows)
        _print({"rows": done})
    await following


async def _streamed(pieces: Pieces, pages: AsyncIterator[Rows], layout: FileLayout, format_: Format) -> int:
    writer, written = STREAMED[format_](layout), 0
    await pieces.add(writer.start())
    async for rows in pages:
        await pieces.add(writer.rows(rows))
        written += len(rows)
    await pieces.add(writer.end())
    await pieces.end()
    return written


async def _excel(pieces: Pieces, pages: AsyncIterator[Rows], layout: FileLayout) -> int:
    written = 0
    with tempfile.TemporaryFile(prefix="returpost-export-") as file:
        book = Excel(file, layout)
        async for rows in pages:
            book.rows(rows)
            written += len(rows)
        book.close()
        file.seek(0)
        while data := file.read(PIECE_BYTES):
            await pieces.add(data)
        await pieces.end()
    return written


def _print(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Write one file."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    _print({"file": asyncio.run(write_file(order))})


if __name__ == "__main__":
    main()
