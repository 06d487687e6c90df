"""Erased addresses: when each was erased, by a keyed hash of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

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
    await connection.execute(_Q["erase"], *columns(sorted(times), 2))
