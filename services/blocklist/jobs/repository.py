"""What is done to many addresses in the background: asked for, taken up by any process, and how far it has come."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from shared.database.pool import Connection
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


class Kind(StrEnum):
    """What is done."""

    SETTINGS = "settings"
    """All addresses are looked at by changed settings."""
    WHAT_IF = "what_if"
    """What changed settings would do is counted."""
    STORM = "storm"
    """Addresses that had a bounce in a storm are looked at."""
    IMPORT_UNDO = "import_undo"
    """What an import did is taken back."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One of them, taken in hand."""

    id: str
    tenant: str
    kind: Kind
    what: dict[str, Any]
    by: str
    note: str
    requested_at: datetime
    after: str
    total: int | None
    result: dict[str, Any]


@dataclass(slots=True)
class Step:
    """What one transaction has done of it."""

    after: str
    """The last address that was looked at."""
    done: int = 0
    blocked: int = 0
    freed: int = 0
    last: bool = False
    result: dict[str, Any] = field(default_factory=dict)


async def request(
    connection: Connection, id_: str, tenant: str, kind: Kind, what: dict[str, Any], by: str, note: str, now: datetime
) -> None:
    """Have it done; the same id asks for the same once."""
    await connection.execute(Q["request"], UUID(id_), tenant, kind, json.dumps(what), by, note, now)


async def supersede(connection: Connection, tenant: str, kind: Kind, now: datetime) -> bool:
    """End what is not done of a kind; return whether there was any."""
    ended: str = await connection.execute(Q["supersede"], tenant, kind, now)
    return ended != "UPDATE 0"


async def take(connection: Connection) -> Operation | None:
    """Take the oldest that nobody has in hand, until the transaction ends."""
    row = await connection.fetchrow(Q["take"])
    if row is None:
        return None
    rest = {name: json.loads(row[name]) for name in ("what", "result")}
    return Operation(**{**row, **rest, "id": str(row["id"]), "kind": Kind(row["kind"])})


async def advance(connection: Connection, operation: Operation, total: int, step: Step, now: datetime) -> None:
    """Note what was done of an operation that is in hand."""
    result = json.dumps(step.result)
    await connection.execute(
        Q["advance"], UUID(operation.id), step.after, total, step.done, step.blocked, step.freed, result
    )
    if step.last:
        await connection.execute(Q["finish"], UUID(operation.id), now)
