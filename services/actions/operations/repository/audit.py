"""The audit: who did what to how many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from shared.database.pool import Connection, Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("audit.sql"))


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action of a user."""

    tenant: str
    time: datetime
    who: str
    what: str
    how_many: int
    note: str = ""
    operation_id: str | None = None
    target: Mapping[str, Any] = field(default_factory=dict)


async def add_audit(connection: Connection | Pool, entry: AuditEntry) -> None:
    """Add an entry; one of an operation is added once."""
    await connection.execute(
        _Q["add_audit"], entry.tenant, entry.time, entry.who, entry.what, entry.how_many, entry.note,
        entry.operation_id, orjson.dumps(entry.target).decode(),
    )  # fmt: skip


async def page_of_audit(pool: Pool, tenant: str, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return entries, newest first."""
    rows = await pool.fetch(_Q["page_of_audit"], tenant, before, limit)
    return [{**row, "target": orjson.loads(row["target"])} for row in rows]
