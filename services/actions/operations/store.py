"""The SQL of the engine of operations. Nothing is decided here."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from returpost.contracts import Operation, OperationState
from returpost.errors import ReturpostError
from services.actions.operations.model import Part, Progress, Running
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).parents[1] / "sql" / "operations.sql")

Row = asyncpg.Record


async def one(connection: Connection, name: str, *arguments: Any, patience: float | None = None) -> Row:
    """Return the row of a statement that always has one. Raises `ReturpostError` when it has none."""
    row = await connection.fetchrow(Q[name], *arguments, timeout=patience)
    if row is None:
        raise ReturpostError(f"operations: {name} found no row")
    return row


def running(row: Row) -> Running:
    """Read one operation."""
    return Running(
        no=row["no"],
        id=row["operation_id"],
        tenant=row["tenant"],
        operation=Operation(row["operation"]),
        state=OperationState(row["state"]),
        parameters=json.loads(row["parameters"]),
        chosen=json.loads(row["chosen"]),
        result=json.loads(row["result"]),
        by=row["requested_by"],
        note=row["note"],
        time=row["requested_at"],
        keep=row["keep"],
    )


async def hold(connection: Connection, tenant: str, identity: str) -> Row | None:
    """Take an operation in hand, when no part of it is any more."""
    return await connection.fetchrow(Q["hold"], tenant, identity)


async def share(connection: Connection, no: int) -> Running:
    """Keep an operation as it is until the transaction ends."""
    return running(await one(connection, "share", no))


async def take_turn(pool: Pool, since: datetime) -> tuple[int, OperationState] | None:
    """Return the operation whose turn it is, of those that have had none since."""
    row = await pool.fetchrow(Q["take_turn"], since)
    return None if row is None else (row["no"], OperationState(row["state"]))


async def take_part(connection: Connection, no: int, state: str, most_on_their_way: int) -> Part | None:
    """Take a part that is in this state; those that are done from the last on."""
    row = await connection.fetchrow(Q["take_part"], no, state, most_on_their_way, -1 if state == "done" else 1)
    return None if row is None else Part(no, row["part"], row["first"], row["last"])


async def take_unanswered(connection: Connection, no: int, before: datetime) -> tuple[Part, str] | None:
    """Take a part that waits for an answer since before then, with its state."""
    row = await connection.fetchrow(Q["take_unanswered"], no, before)
    return None if row is None else (Part(no, row["part"], row["first"], row["last"]), row["state"])


async def leave_part(connection: Connection, part: Part, state: str, answer: str | None = None) -> None:
    """Write what became of a part that is in hand."""
    await connection.execute(Q["leave_part"], part.operation, part.part, state, answer)


async def move(
    connection: Connection, no: int, state: OperationState, result: dict[str, Any], error: str | None = None
) -> Running:
    """Give an operation that is in hand another state, and add to its result."""
    return running(await one(connection, "move", no, state.value, json.dumps(result), error))


async def addresses(connection: Connection, part: Part) -> list[str]:
    """Return the addresses of the open rows of a part, each once, in the order of their keys."""
    return [row["address"] for row in await connection.fetch(Q["addresses"], *part.rows)]


async def skip(connection: Connection, no: int, rows: Sequence[tuple[int, str]]) -> None:
    """Note that rows are skipped, and why."""
    if rows:
        await connection.execute(Q["skip"], no, [seq for seq, _ in rows], [why for _, why in rows])


async def progress(connection: Connection, no: int) -> Row:
    """Count how far an operation is: rows `total`, `settled`, `done`; parts `open`, `waiting`, `done_parts`."""
    return await one(connection, "progress", no)


async def outcomes(connection: Connection, no: int) -> Progress:
    """Count the rows of an operation by what became of them."""
    counted = await progress(connection, no)
    found = {"done": counted["done"]} if counted["done"] else {}
    for row in await connection.fetch(Q["skipped"], no):
        found[row["outcome"]] = found.get(row["outcome"], 0) + row["count"]
    return Progress(counted["total"], counted["settled"], found)


async def emptied(connection: Connection, operations: Sequence[int]) -> list[int]:
    """Settle the parts of deletions of which no row is left; return the operations that they are of."""
    return [row["operation"] for row in await connection.fetch(Q["emptied"], list(operations))]
