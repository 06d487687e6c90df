"""Erased addresses: when each was erased, by a keyed hash of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from returpost.contracts.addresses import hide_addresses
from services.actions.contacts.collation import order_key, search_words
from shared.database.pool import Connection
from shared.database.queries import columns, queries
from shared.erased_addresses import AddressKey

_Q = queries(Path(__file__).with_name("erasures.sql"))


async def erased_at(connection: Connection, addresses: Iterable[AddressKey]) -> dict[AddressKey, datetime]:
    """Return when these addresses were erased, of those that were; none is erased before the transaction ends.

    Handlers that write addresses ask first: what is not newer than its erasure is not written.
    """
    await connection.execute(_Q["lock_erasures_shared"])
    if not await connection.fetchval(_Q["any_erasures"]):
        return {}
    rows = await connection.fetch(_Q["erased_at"], *columns(sorted(set(addresses)), 2))
    return {(row["tenant"], row["address"]): row["erased_at"] for row in rows}


async def lock_out_erasures(connection: Connection) -> None:
    """Make erasures wait until the transaction ends."""
    await connection.execute(_Q["lock_erasures_shared"])


async def erase(connection: Connection, times: Mapping[AddressKey, datetime]) -> None:
    """Remove addresses from everything but operations, and record when each was erased."""
    await connection.execute(_Q["lock_erasures"])
    rows = [(*place, times[place]) for place in sorted(times)]
    await connection.execute(_Q["record_erasures"], *columns(rows, 3))
    await _erase_names(connection, sorted(times))
    await connection.execute(_Q["erase"], *columns(sorted(times), 2))


async def _erase_names(connection: Connection, places: Sequence[AddressKey]) -> None:
    """Hide erased addresses in what their owners are called: many a CRM calls a contact by its address."""
    named = await connection.fetch(_Q["named_by_address"], *columns(places, 2))
    values = []
    for row in named:
        name, company = (text and hide_addresses(text) for text in (row["name"], row["company"]))
        words = " ".join(search_words(row["tenant"], (name, company, row["external_id"])))
        values.append((row["tenant"], row["contact"], name, company, order_key(name), order_key(company), words))
    await connection.execute(_Q["rename"], *columns(values, 7))
