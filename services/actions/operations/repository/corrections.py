"""Addresses of contacts, as operations correct them."""

from pathlib import Path

from services.actions.operations.domain import Part, StoredOperation
from shared.database.pool import Connection
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("corrections.sql"))

SKIP = """(
    SELECT CASE WHEN count(*) = 0 THEN 'no_contact' END
    FROM contact_addresses AS a WHERE a.tenant = $2 AND a.address = c.address)"""
"""SQL: addresses without a contact are skipped."""


async def owners(connection: Connection, tenant: str, address: str, contact: str | None) -> list[str]:
    """Return the contacts that have an address; only this one, if it is named."""
    return [row["contact"] for row in await connection.fetch(_Q["owners"], tenant, address, contact)]


async def correct(
    connection: Connection, operation: StoredOperation, part: Part, old: str, new: tuple[str, str], contacts: list[str]
) -> None:
    """Replace an address (its key) of contacts by a new one (its key, and as written), and keep what an undo needs."""
    tenant, (key, written) = operation.tenant, new
    await connection.execute(_Q["keep_address"], operation.no, part.part, tenant, old, contacts)
    await connection.execute(
        _Q["record"], tenant, old, key, contacts, operation.no, written, operation.time, operation.by, operation.note
    )
    await connection.execute(_Q["remove_duplicates"], tenant, old, key, contacts)
    await connection.execute(_Q["correct"], tenant, old, key, contacts, written)
    await connection.execute(_Q["touch"], tenant, contacts, operation.time)


async def restore(connection: Connection, operation: StoredOperation, part: Part) -> list[str]:
    """Undo `correct`, and return the contacts."""
    rows = await connection.fetch(_Q["restore"], operation.no, part.part, operation.tenant)
    contacts = sorted(row["contact"] for row in rows)
    await connection.execute(_Q["touch"], operation.tenant, contacts, operation.time)
    await connection.execute(_Q["forget"], operation.tenant, operation.no, contacts)
    return contacts
