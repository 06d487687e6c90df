"""One address in PostgreSQL."""

from pathlib import Path
from typing import Any

from services.actions.contacts import repository as contacts
from shared.database.pool import Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("addresses.sql"))


async def find_address(pool: Pool, tenant: str, address: str, max_history: int) -> dict[str, Any]:
    """Return all that is known of an address (its key): state, contacts, corrections, and history, newest first."""
    async with pool.acquire() as connection:
        state = await connection.fetchrow(_Q["address"], tenant, address)
        owners = [dict(row) for row in await connection.fetch(_Q["contacts_of"], tenant, address)]
        corrections = [dict(row) for row in await connection.fetch(_Q["corrections"], tenant, address)]
        history = await contacts.history(connection, tenant, None, [address], max_history)
    found = dict(state or {})
    return found | {
        "address": next((one["written"] for one in owners), found.get("written")),
        "contacts": owners,
        "corrected_to": next((one for one in corrections if one["away"]), None),
        "corrected_from": [one for one in corrections if not one["away"]],
        "history": history,
    }
