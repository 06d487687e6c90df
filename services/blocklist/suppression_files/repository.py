"""The SQL of imports and of the comparison with a provider's list."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from services.blocklist.address_state.records import Key
from services.blocklist.suppression_files.entry import Kind
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("repository.sql"))


class Action(StrEnum):
    """What is done with the addresses of a list."""

    BLOCK = "block"
    CLEAR = "clear"


class ImportState(StrEnum):
    """How far an import is."""

    UPLOADING = "uploading"
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a caller wants done with a list."""

    tenant: str
    action: Action
    kind: Kind
    dry_run: bool
    by: str
    note: str
    idempotency_key: str | None
    """The caller's own key for it: what comes under it again is the same list."""


@dataclass(frozen=True, slots=True)
class RunningImport:
    """One import, locked by this transaction."""

    id: UUID
    tenant: str
    action: Action
    dry_run: bool
    by: str
    note: str
    received_at: datetime
    outcomes: Mapping[str, int]


def subject_of(import_: UUID) -> str:
    """Return what history and log name as the subject of what an import did."""
    return f"import-{import_}"


async def begin(pool: Pool, id_: UUID, request: ImportRequest, now: datetime) -> None:
    """Keep that a list is being uploaded."""
    row = (request.tenant, request.idempotency_key, request.action, request.dry_run, request.by, request.note, now)
    await pool.execute(Q["begin"], id_, *row)


async def find(pool: Pool, tenant: str, idempotency_key: str) -> Record | None:
    """Return the import that a caller gave this key."""
    row: Record | None = await pool.fetchrow(Q["find"], tenant, idempotency_key)
    return row


async def discard(pool: Pool, id_: UUID) -> None:
    """Forget a list of which the upload broke off."""
    await pool.execute(Q["discard"], id_)


async def add_part(pool: Pool, id_: UUID, n: int, entries: bytes) -> None:
    """Keep the next rows of a list."""
    await pool.execute(Q["add_part"], id_, n, entries)


async def received(pool: Pool, id_: UUID, now: datetime, total: int) -> None:
    """The list is whole: have it applied."""
    await pool.execute(Q["received"], id_, now, total)


async def take(connection: Connection) -> RunningImport | None:
    """Lock the oldest list that no other process works on."""
    row = await connection.fetchrow(Q["take"])
    if row is None:
        return None
    return RunningImport(**{**row, "action": Action(row["action"]), "outcomes": json.loads(row["outcomes"])})


async def next_part(connection: Connection, id_: UUID) -> tuple[int, bytes] | None:
    """Return the number and the rows of its next part."""
    row = await connection.fetchrow(Q["next_part"], id_)
    return None if row is None else (row["n"], row["entries"])


async def part_done(
    connection: Connection, id_: UUID, n: int, report: bytes, rows: int, outcomes: Mapping[str, int]
) -> None:
    """Keep what became of the rows of a part, and no longer the rows."""
    await connection.execute(Q["part_done"], id_, n, report)
    await connection.execute(Q["advance"], id_, rows, json.dumps(outcomes))


async def finish(connection: Connection, id_: UUID) -> None:
    """All rows have their outcome."""
    await connection.execute(Q["finish"], id_)


async def discard_torn(connection: Connection, before: datetime) -> None:
    """Forget the lists of which the upload broke off long ago."""
    await connection.execute(Q["discard_torn"], before)


async def get(pool: Pool, tenant: str, id_: UUID) -> Record | None:
    """Return one import of a tenant."""
    row: Record | None = await pool.fetchrow(Q["get"], tenant, id_)
    return row


async def newest(pool: Pool, tenant: str, before: tuple[datetime | None, UUID | None], limit: int) -> list[Record]:
    """Return a page of a tenant's imports, the newest first, before a time and id if they are given."""
    rows: list[Record] = await pool.fetch(Q["newest"], tenant, *before, limit)
    return rows


async def next_report(pool: Pool, id_: UUID, after: int) -> tuple[int, bytes] | None:
    """Return the number and the report of the next part after this one."""
    row = await pool.fetchrow(Q["report"], id_, after)
    return None if row is None else (row["n"], row["report"])


async def count_addresses(
    connection: Connection, tenant: str, import_: UUID, received_at: datetime, seconds: float
) -> int:
    """Return how many addresses an import did something to."""
    count: int = await connection.fetchval(
        Q["count_addresses"], tenant, subject_of(import_), received_at, timeout=seconds
    )
    return count


async def next_addresses(
    connection: Connection,
    tenant: str,
    after: str,
    import_: UUID,
    received_at: datetime,
    limit: int,
    seconds: float,
) -> list[str]:
    """Return the next of them."""
    subject = subject_of(import_)
    rows = await connection.fetch(Q["next_addresses"], tenant, after, subject, received_at, limit, timeout=seconds)
    return [row["address"] for row in rows]


async def forget_history(connection: Connection, keys: Sequence[Key], import_: UUID) -> None:
    """Remove what an import added to the history of these addresses."""
    await connection.execute(Q["forget_history"], *columns(sorted(keys), 2), subject_of(import_))


async def ours_after(pool: Pool, tenant: str, address: str, limit: int) -> list[Record]:
    """Return the next blocked addresses of a tenant, in the order of their keys."""
    rows: list[Record] = await pool.fetch(Q["ours_after"], tenant, address, limit)
    return rows


async def lifted(pool: Pool, tenant: str, addresses: Sequence[str]) -> set[str]:
    """Return those of these addresses that somebody has cleared."""
    return {row["address"] for row in await pool.fetch(Q["lifted"], tenant, addresses)}
