"""Contacts as operations set them as former employees, and back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.actions.operations.domain import Part, StoredOperation
from shared.database.pool import Connection
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("former_employees.sql"))

SKIP_UNLESS_FORMER = """(
    SELECT CASE WHEN count(*) = 0 THEN 'no_contact' WHEN NOT bool_or(o.former_employee) THEN 'not_former_employee' END
    FROM contact_addresses AS a JOIN contacts AS o USING (tenant, contact)
    WHERE a.tenant = $2 AND a.address = c.address)"""
"""SQL: addresses of no former employee are skipped."""


async def lock_contacts(connection: Connection, tenant: str, contacts: Sequence[str]) -> None:
    """Lock contacts."""
    await connection.execute(_Q["lock_contacts"], tenant, sorted(contacts))


async def lock_contacts_of(connection: Connection, operation: StoredOperation, part: Part) -> list[str]:
    """Lock the contacts of the addresses of the open rows of a part, and return them."""
    rows = await connection.fetch(_Q["contacts"], operation.no, operation.tenant, part.first, part.last)
    contacts = sorted(row["contact"] for row in rows)
    await lock_contacts(connection, operation.tenant, contacts)
    return contacts


async def set_former(
    connection: Connection, operation: StoredOperation, part: Part, contacts: Sequence[str]
) -> list[str]:
    """Set contacts as former employees, keep what an undo needs, and return those that were none."""
    await connection.execute(_Q["keep_employed"], operation.tenant, contacts, operation.no, part.part)
    rows = await connection.fetch(_Q["set_former"], operation.tenant, contacts, operation.time, operation.id)
    return [row["contact"] for row in rows]


async def undo_set_former(connection: Connection, operation: StoredOperation, part: Part) -> list[str]:
    """Undo `set_former`, except where anything was said since; return the contacts."""
    rows = await connection.fetch(_Q["undo_set_former"], operation.tenant, operation.no, part.part, operation.time)
    return [row["contact"] for row in rows]


async def set_back(
    connection: Connection, operation: StoredOperation, part: Part, contacts: Sequence[str]
) -> list[str]:
    """Set contacts back, keep what an undo needs, and return those that were former employees."""
    await connection.execute(_Q["keep_former"], operation.tenant, contacts, operation.no, part.part)
    rows = await connection.fetch(_Q["set_back"], operation.tenant, contacts, operation.time)
    return [row["contact"] for row in rows]


async def undo_set_back(connection: Connection, operation: StoredOperation, part: Part) -> list[str]:
    """Undo `set_back`, except where anything was said since; return the contacts."""
    rows = await connection.fetch(_Q["undo_set_back"], operation.tenant, operation.no, part.part, operation.time)
    return [row["contact"] for row in rows]


async def kept_contacts(connection: Connection, operation: StoredOperation, part: Part) -> list[str]:
    """Return the contacts that a part has changed."""
    return [row["id"] for row in await connection.fetch(_Q["kept_contacts"], operation.no, part.part)]


async def addresses_of(connection: Connection, tenant: str, contacts: Sequence[str]) -> list[str]:
    """Return the addresses of contacts."""
    return [row["address"] for row in await connection.fetch(_Q["addresses_of"], tenant, contacts)]


async def addresses_of_former(connection: Connection, tenant: str, contacts: Sequence[str]) -> list[str]:
    """Return the addresses of contacts that belong to former employees alone."""
    return [row["address"] for row in await connection.fetch(_Q["addresses_of_former"], tenant, contacts)]


async def unplan(connection: Connection, operation: StoredOperation, part: Part, addresses: Sequence[str]) -> None:
    """Remove addresses from the mailings that are not sent yet, and keep which."""
    await connection.execute(_Q["unplan"], operation.tenant, addresses, operation.no, part.part)


async def plan_again(connection: Connection, operation: StoredOperation, part: Part) -> None:
    """Undo `unplan`."""
    await connection.execute(_Q["plan_again"], operation.tenant, operation.no, part.part)


async def read(connection: Connection, tenant: str, contacts: Sequence[str]) -> list[dict[str, Any]]:
    """Return what contacts are now."""
    return [dict(row) for row in await connection.fetch(_Q["read"], tenant, contacts)]
