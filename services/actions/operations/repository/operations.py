"""Operations, their parts and their rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from returpost.contracts import Operation, OperationState
from returpost.errors import ReturpostError
from services.actions.operations.domain import Outcomes, Part, Progress, StoredOperation
from services.actions.operations.target import Source
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries
from shared.erased_addresses import AddressKey

_Q = queries(Path(__file__).with_name("operations.sql"))
_FIND = _Q["find"].format(names=_Q["names"])
_PAGE = _Q["page_of_operations"].format(names=_Q["names"])
_PROGRESS = ("total", "settled", "done", "open", "waiting", "done_parts", "failed_parts")
FREEZE_TIMEOUT = 600.0
"""Seconds for freezing the rows of an operation; a million rows take about ten."""


@dataclass(frozen=True, slots=True)
class NewOperation:
    """An operation to store."""

    tenant: str
    id: str
    operation: Operation
    mailing: str | None
    by: str
    note: str
    time: datetime
    parameters: Mapping[str, Any]
    target: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class OperationDetail:
    """An operation with what is shown of it besides."""

    operation: StoredOperation
    moved_at: datetime
    finished_at: datetime | None
    error: str | None
    digest: str
    """Of the request."""
    list_name: str | None = None
    old_address: str | None = None
    """Of a correction that is done: what the address was before."""


async def _one(connection: Connection, name: str, *arguments: Any, patience: float | None = None) -> asyncpg.Record:
    """Return the row of a statement that always has one. Raises `ReturpostError` when it has none."""
    row = await connection.fetchrow(_Q[name], *arguments, timeout=patience)
    if row is None:
        raise ReturpostError(f"operations: {name} found no row")
    return row


def stored_operation(row: asyncpg.Record) -> StoredOperation:
    """Return the operation of a row."""
    return StoredOperation(
        no=row["no"],
        id=row["operation_id"],
        tenant=row["tenant"],
        operation=Operation(row["operation"]),
        state=OperationState(row["state"]),
        parameters=orjson.loads(row["parameters"]),
        target=orjson.loads(row["target"]),
        result=orjson.loads(row["result"]),
        by=row["requested_by"],
        note=row["note"],
        time=row["requested_at"],
        keep=row["keep"],
    )


def _detail(row: asyncpg.Record) -> OperationDetail:
    return OperationDetail(
        stored_operation(row), row["moved_at"], row["finished_at"], row["error"], row["request_digest"],
        row["list_name"], row["old_address"],
    )  # fmt: skip


async def add_operation(connection: Connection, new: NewOperation) -> int | None:
    """Add an operation and return its number; nothing when its id is known already."""
    number: int | None = await connection.fetchval(
        _Q["add_operation"], new.tenant, new.id, new.operation.value, new.mailing, new.by, new.note, new.time,
        orjson.dumps(new.parameters).decode(), orjson.dumps(new.target).decode(), new.digest,
    )  # fmt: skip
    return number


async def freeze_rows(
    connection: Connection, tenant: str, no: int, rows: Source, skip: str, part_rows: int | None
) -> None:
    """Write the rows of an operation, with why some are skipped (SQL `skip`), and cut them into parts."""
    # OFFSET 0: else the planner evaluates `skip` twice.
    statement = f"""
        INSERT INTO operation_rows (operation, seq, address, mailing, outcome, why)
        SELECT $1, row_number() OVER (ORDER BY c.address, c.mailing) - 1, c.address, c.mailing,
               CASE WHEN w.why IS NOT NULL THEN 'skipped' END, w.why
        FROM ({rows.sql}) AS c CROSS JOIN LATERAL (SELECT {skip} AS why OFFSET 0) AS w WHERE $2::text IS NOT NULL
    """  # noqa: S608 - both are constants of this package
    await connection.execute(statement, no, tenant, *rows.arguments, timeout=FREEZE_TIMEOUT)
    await connection.execute(_Q["cut"], no, part_rows or 2**31 - 1, timeout=FREEZE_TIMEOUT)


async def rows_digest(connection: Connection, no: int) -> tuple[int, Decimal]:
    """Return how many rows an operation has, and a number that changes with them."""
    row = await _one(connection, "digest", no, patience=FREEZE_TIMEOUT)
    return row["rows"], row["sum"]


async def find(connection: Connection | Pool, tenant: str, identity: str) -> OperationDetail | None:
    """Return an operation; nothing when it does not exist."""
    row = await connection.fetchrow(_FIND, tenant, identity)
    return None if row is None else _detail(row)


async def lock(connection: Connection, tenant: str, identity: str) -> StoredOperation | None:
    """Lock an operation, once no part of it is locked any more; nothing when it does not exist."""
    row = await connection.fetchrow(_Q["lock"], tenant, identity)
    return None if row is None else stored_operation(row)


async def lock_if_free(connection: Connection, no: int) -> StoredOperation | None:
    """Lock an operation; nothing when it or a part of it is locked."""
    row = await connection.fetchrow(_Q["lock_if_free"], no)
    return None if row is None else stored_operation(row)


async def lock_shared(connection: Connection, no: int) -> StoredOperation:
    """Keep an operation as it is until the transaction ends."""
    return stored_operation(await _one(connection, "lock_shared", no))


async def take_turn(pool: Pool, since: datetime) -> tuple[int, OperationState] | None:
    """Return number and state of the operation that has waited longest, of those that had no turn since."""
    row = await pool.fetchrow(_Q["take_turn"], since)
    return None if row is None else (row["no"], OperationState(row["state"]))


async def take_part(connection: Connection, no: int, state: str, max_waiting: int) -> Part | None:
    """Lock a part that is in this state (those that are done from the last on), unless so many wait for events."""
    row = await connection.fetchrow(_Q["take_part"], no, state, max_waiting, -1 if state == "done" else 1)
    return None if row is None else Part(no, row["part"], row["first"], row["last"])


async def take_unanswered(connection: Connection, no: int, before: datetime) -> tuple[Part, str] | None:
    """Lock a part that has waited for its event since before then; return it with its state."""
    row = await connection.fetchrow(_Q["take_unanswered"], no, before)
    return None if row is None else (Part(no, row["part"], row["first"], row["last"]), row["state"])


async def set_part_state(connection: Connection, part: Part, state: str, awaited: str | None = None) -> None:
    """Write the state of a part that is locked, and the id of the event that it waits for."""
    await connection.execute(_Q["set_part_state"], part.operation, part.part, state, awaited)


async def fail_part(connection: Connection, part: Part, why: str) -> None:
    """Write that the open rows of a part have failed, and the part with them."""
    await connection.execute(_Q["fail_rows"], *part.rows, why)
    await set_part_state(connection, part, "failed")


async def settle_parts(connection: Connection, events: Sequence[str]) -> dict[int, str]:
    """Settle the parts that wait for these events; return one of the events by operation."""
    rows = await connection.fetch(_Q["settle_parts"], sorted(events))
    return {row["operation"]: row["awaited"] for row in rows}


async def settle_emptied(connection: Connection, operations: Sequence[int]) -> list[int]:
    """Settle the parts of deletions of which no row is left; return their operations."""
    return [row["operation"] for row in await connection.fetch(_Q["settle_emptied"], list(operations))]


async def set_state(
    connection: Connection, no: int, state: OperationState, result: Mapping[str, Any], error: str | None = None
) -> StoredOperation:
    """Set the state of an operation that is locked, and add to its result."""
    return stored_operation(await _one(connection, "set_state", no, state.value, orjson.dumps(result).decode(), error))


async def queue(connection: Connection, no: int, by: str, time: datetime, due: datetime) -> StoredOperation:
    """Queue a previewed operation, to begin when it is due."""
    return stored_operation(await _one(connection, "queue", no, by, time, due))


async def set_keep(connection: Connection, no: int, keep: bool) -> None:
    """Set whether a cancelled operation keeps what it did."""
    await connection.execute(_Q["set_keep"], no, keep)


async def open_addresses(connection: Connection, part: Part) -> list[str]:
    """Return the addresses of the open rows of a part, each once, in the order of their keys."""
    return [row["address"] for row in await connection.fetch(_Q["open_addresses"], *part.rows)]


async def skip_rows(connection: Connection, no: int, rows: Sequence[tuple[int, str]]) -> None:
    """Write that rows (by their `seq`) are skipped, and why."""
    if rows:
        await connection.execute(_Q["skip_rows"], no, [seq for seq, _ in rows], [why for _, why in rows])


async def progress(connection: Connection, no: int) -> Progress:
    """Return how far an operation is."""
    row = await _one(connection, "progress", no)
    return Progress(*(row[name] for name in _PROGRESS))


async def reasons(connection: Connection, no: int) -> list[dict[str, Any]]:
    """Return how many rows were skipped or failed, by `outcome` and `why`."""
    return [dict(row) for row in await connection.fetch(_Q["reasons"], no)]


async def outcomes(connection: Connection, no: int) -> Outcomes:
    """Count the rows of an operation by what became of them."""
    counted = await progress(connection, no)
    found = {"done": counted.done} if counted.done else {}
    for row in await reasons(connection, no):
        found[row["outcome"]] = found.get(row["outcome"], 0) + row["rows"]
    return Outcomes(counted.total, found)


async def sample(connection: Connection, no: int, tenant: str, limit: int) -> list[dict[str, Any]]:
    """Return the first rows of an operation, and the first of those that are skipped."""
    return [dict(row) for row in await connection.fetch(_Q["sample"], no, tenant, limit)]


async def page_of_operations(
    pool: Pool, tenant: str, before: tuple[datetime, str] | None, limit: int
) -> list[tuple[OperationDetail, Progress]]:
    """Return operations, newest first, without previews that nobody has confirmed."""
    rows = await pool.fetch(_PAGE, tenant, *(before or (None, "")), limit)
    return [(_detail(row), Progress(*(row[name] for name in _PROGRESS))) for row in rows]


async def page_of_rows(
    connection: Connection, no: int, outcome: str | None, after: int | None, limit: int
) -> list[dict[str, Any]]:
    """Return rows that were skipped or failed, with their `seq`."""
    return [dict(row) for row in await connection.fetch(_Q["page_of_rows"], no, outcome, after, limit)]


async def erase_rows(connection: Connection, addresses: Sequence[AddressKey]) -> list[int]:
    """Erase addresses from all operations, with the files that they are in; return the operations."""
    places = columns(addresses, 2)
    touched = {row["operation"] for row in await connection.fetch(_Q["erase_rows"], *places)}
    for name in ("erase_undo_values", "erase_corrections", "erase_searches", "erase_audited_searches"):
        await connection.execute(_Q[name], *places)
    if touched:
        await connection.execute(_Q["erase_files"], sorted(touched))
    return sorted(touched)


async def remove_expired(
    connection: Connection, previews_before: datetime, rows_before: datetime, files_before: datetime, limit: int
) -> bool:
    """Remove old previews, files, and rows (so many) of operations that ended; tells whether more may be left."""
    await connection.execute(_Q["expire_files"], files_before)
    found = [row["no"] for row in await connection.fetch(_Q["expired"], previews_before, rows_before)]
    removed = 0
    for name in ("remove_rows", "remove_undo_values"):
        removed += len(await connection.fetch(_Q[name], found, limit))
    if found and removed < limit:
        await connection.execute(_Q["remove_parts"], found)
        await connection.execute(_Q["remove_previews"], found)
    return bool(found)
