"""The audit of what operators did, and their notes on groups."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("audit.sql"))


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that an operator did."""

    number: int
    at: datetime
    who: str
    tenant: str | None
    """Of the operator; none: of all tenants."""
    action: str
    target: str
    why: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class GroupNote:
    """What operators know of a failure."""

    fingerprint: str
    status: str
    owner: str
    note: str
    changed_at: datetime
    changed_by: str


async def insert(
    connection: Connection | Pool,
    action: str,
    target: str,
    *,
    who: str,
    tenant: str | None,
    why: str,
    details: Mapping[str, Any] | None = None,
    event: str | None = None,
) -> None:
    """Note what an operator did, and why; what is known from an event, once."""
    await connection.execute(Q["insert_audit"], who, tenant, action, target, why, json.dumps(details or {}), event)


async def list_page(pool: Pool, tenant: str | None, before: int | None, limit: int) -> list[AuditEntry]:
    """Return up to `limit` entries of a tenant's operators, or of all, latest first."""
    rows = await pool.fetch(Q["list_audit"], tenant, before, limit)
    return [AuditEntry(**{**dict(row), "details": json.loads(row["details"])}) for row in rows]


async def put_note(pool: Pool, scope: str, fingerprint: str, status: str, owner: str, note: str, *, by: str) -> None:
    """Write the note on a group; `scope` is the tenant of the operators, or `*`."""
    await pool.execute(Q["put_note"], scope, fingerprint, status, owner, note, by)


async def get_note(pool: Pool, scope: str, fingerprint: str) -> GroupNote | None:
    """Return the note on a group."""
    row = await pool.fetchrow(Q["get_note"], scope, fingerprint)
    return None if row is None else GroupNote(**dict(row))
