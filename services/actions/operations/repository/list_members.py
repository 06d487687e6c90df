"""Members of selections and projects, as operations add and remove them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from returpost.contracts.enums import ListKind
from services.actions.contacts.collation import folded, order_key
from services.actions.operations.domain import Part, StoredOperation
from shared.database.pool import Connection
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("list_members.sql"))

SKIP = """(
    SELECT CASE WHEN o.address IS NULL THEN 'no_contact' WHEN o.former_employee THEN 'former_employee' END
    FROM (SELECT) AS one LEFT JOIN owners AS o ON o.tenant = $2 AND o.address = c.address)"""
"""SQL: addresses without a contact, or of former employees alone, are skipped."""
_ROWS_TO_SKIP = _Q["rows_to_skip"].format(skip=SKIP)


class ListPlace(NamedTuple):
    """The key of a list."""

    tenant: str
    kind: str
    list: str


async def exists(connection: Connection, place: ListPlace, *, lock: bool = False) -> bool:
    """Say whether a list exists and is not deleted; lock it if asked to, deleted or not."""
    deleted = await connection.fetchval(_Q["lock_deleted" if lock else "deleted"], *place)
    return deleted is False


async def create_list(connection: Connection, place: ListPlace, name: str, time: datetime) -> None:
    """Create a list."""
    await connection.execute(_Q["create_list"], *place, name, time, order_key(name), folded(name))


async def remove_if_empty(connection: Connection, place: ListPlace) -> bool:
    """Remove a list that has no member, nor ever had one that somebody else added."""
    return await connection.fetchval(_Q["remove_if_empty"], *place) is not None


async def rows_to_skip(connection: Connection, tenant: str, part: Part) -> list[tuple[int, str]]:
    """Return the open rows of a part that `SKIP` applies to since the preview, each with why."""
    rows = await connection.fetch(_ROWS_TO_SKIP, part.operation, tenant, part.first, part.last)
    return [(row["seq"], row["why"]) for row in rows]


async def contacts_of(connection: Connection, tenant: str, part: Part, *, former_employees: bool) -> list[str]:
    """Return the contacts of the addresses of the open rows of a part."""
    rows = await connection.fetch(_Q["contacts"], part.operation, tenant, part.first, part.last, former_employees)
    return sorted(row["contact"] for row in rows)


async def add_members(
    connection: Connection, operation: StoredOperation, part: Part, place: ListPlace, contacts: Sequence[str]
) -> list[str]:
    """Add contacts to a list, keep what an undo needs, and return those that were no members."""
    time = operation.time
    await connection.execute(_Q["keep_non_members"], operation.no, part.part, *place, contacts, time)
    rows = await connection.fetch(_Q["add_members"], *place, contacts, time, operation.no)
    await _grow(connection, place, len(rows))
    return sorted(row["contact"] for row in rows)


async def remove_members(
    connection: Connection, operation: StoredOperation, place: ListPlace, contacts: Sequence[str]
) -> list[str]:
    """Remove those of these contacts that the operation added, and return them."""
    rows = await connection.fetch(_Q["remove_members"], *place, contacts, operation.time, operation.no)
    await _grow(connection, place, -len(rows))
    return sorted(row["contact"] for row in rows)


async def restore_non_members(connection: Connection, operation: StoredOperation, part: Part, place: ListPlace) -> None:
    """Restore what was known of contacts that were no members."""
    kind, name = ListKind(place.kind).value, place.list
    await connection.execute(_Q["restore_non_members"], operation.no, operation.tenant, part.part, kind, name)


async def remove_rest(connection: Connection, operation: StoredOperation, place: ListPlace) -> list[str]:
    """Remove all contacts that the operation added and that are left, and return them."""
    rows = await connection.fetch(
        _Q["remove_rest"], operation.no, operation.tenant, place.kind, place.list, operation.time
    )
    await _grow(connection, place, -len(rows))
    return sorted(row["contact"] for row in rows)


async def _grow(connection: Connection, place: ListPlace, members: int) -> None:
    if members:
        await connection.execute(_Q["grow"], *place, members)
