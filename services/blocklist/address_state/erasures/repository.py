"""What erased addresses leave behind: a keyed hash and a time, so that what comes late does not bring them back."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from returpost.contracts import BounceClassified, DeliveryRecorded
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from services.blocklist.address_state.repository import Key, columns
from shared.database.pool import Connection
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))
D = TypeVar("D", BounceClassified, DeliveryRecorded)


async def remember(connection: Connection, times: Mapping[Key, datetime]) -> None:
    """Remember when addresses were erased."""
    await connection.execute(Q["remember"], *columns(((*place, times[place]) for place in sorted(times)), 3))


async def leave(connection: Connection, keys: Iterable[Key]) -> int:
    """Have these addresses wait for their erasure no longer, done or undone; return how many did."""
    return len(await connection.fetch(Q["leave"], *columns(sorted(set(keys)), 2)))


async def living(connection: Connection, events: Sequence[Event[D]]) -> Sequence[Event[D]]:
    """Return the events without those that happened before their address was erased."""
    if not await connection.fetchval(Q["any"]):
        return events
    rows = [(one.tenant, key(one.data.address), one.data.time) for one in events]
    gone = {row["n"] for row in await connection.fetch(Q["gone"], *columns(rows, 3))}
    return [one for n, one in enumerate(events) if n not in gone] if gone else events
