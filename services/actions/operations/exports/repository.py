"""Exports: which worker writes which file, the rows of a file, and its pieces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson

from services.actions.operations.exports.columns import Column
from services.actions.operations.exports.formats import Rows
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("exports.sql"))


class Run(NamedTuple):
    """One attempt to write the file of an operation."""

    operation: int
    id: UUID


@dataclass(frozen=True, slots=True)
class Bounds:
    """The rows of an operation."""

    last: int
    """The greatest number of a row; -1: there are none."""
    recipients: bool
    """Whether they are recipients of mailings; else addresses."""


async def claim(connection: Connection, silent_since: datetime, run: UUID) -> int | None:
    """Claim for a run an export that nobody writes, or whose worker is silent; return the operation's number."""
    number: int | None = await connection.fetchval(_Q["claim"], silent_since, str(run))
    return number


async def settle_cancelled(connection: Connection) -> None:
    """Settle the parts of exports that are cancelled."""
    await connection.execute(_Q["settle_cancelled"])


async def beat(connection: Connection | Pool, run: Run, rows: int) -> bool:
    """Say that a run is alive and has written so many rows; false when it lost its claim, or is cancelled."""
    return await connection.fetchval(_Q["beat"], run.operation, str(run.id), rows) is not None


async def finish(connection: Connection, run: Run, file: Mapping[str, Any]) -> None:
    """Write that the file of a run is whole, and delete the pieces of other runs."""
    await connection.execute(_Q["delete_other_pieces"], *run)
    await connection.execute(_Q["finish"], run.operation, orjson.dumps({"file": file}).decode())


async def delete_pieces(pool: Pool, run: Run) -> None:
    """Delete the pieces of a run."""
    await pool.execute(_Q["delete_pieces"], *run)


async def read_piece(pool: Pool, run: Run, piece: int) -> bytes:
    """Return a piece of a file."""
    data: bytes = await pool.fetchval(_Q["read_piece"], *run, piece)
    return data


class ExportConnection:
    """The connection of a subprocess that writes a file."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, database_url: str) -> "ExportConnection":
        """Connect."""
        names = {"search_path": "actions", "application_name": "returpost-export"}
        return cls(await asyncpg.connect(database_url, server_settings=names))

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close()

    async def add_piece(self, run: Run, piece: int, data: bytes) -> None:
        """Add a piece to a file."""
        await self._connection.execute(_Q["add_piece"], *run, piece, data)

    async def bounds(self, operation: int) -> Bounds:
        """Return what the rows of an operation are."""
        row = await self._connection.fetchrow(_Q["bounds"], operation)
        return Bounds(row["last"], row["recipients"])

    async def rows(
        self, operation: int, tenant: str, span: range, columns: Sequence[Column], *, recipients: bool
    ) -> Rows:
        """Return the values of columns, of the rows with numbers in a span."""
        statement = _Q["rows"].format(
            columns=", ".join(columns), recipient=_Q["of_mailing" if recipients else "last_returned"]
        )
        rows: Rows = await self._connection.fetch(statement, operation, span.start, span.stop, tenant)
        return rows
