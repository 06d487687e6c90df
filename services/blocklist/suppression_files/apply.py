"""What the rows of a list do to the addresses they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from returpost.contracts import ids
from returpost.contracts.enums import BlockCause, Fault, Reason, UnblockCause
from services.blocklist.address_state import repository
from services.blocklist.address_state.reevaluate import Trigger, reassess
from services.blocklist.address_state.repository import Key, Line
from services.blocklist.checks.check import ERASED
from services.blocklist.suppression_files.entry import Entry
from shared.database.pool import Connection
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).parents[1] / "checks" / "check.sql")

RULE = "import"
"""The rule that history names for a bounce or complaint that somebody else has judged."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which import, by whom and when."""

    id: UUID
    tenant: str
    by: str
    note: str
    time: datetime


async def block(work: UnitOfWork, entries: Mapping[str, Entry], origin: Origin, now: datetime) -> None:
    """Block the addresses, by key: complaints and dead addresses as such, the others by hand.

    Each is as old as its row says: what was cleared or delivered since stays as it is.
    """
    places: dict[Key, Entry] = {(origin.tenant, address): entry for address, entry in entries.items()}
    await repository.touch(work.connection, dict.fromkeys(places))
    by_hand = {place: entry for place, entry in places.items() if entry.cause is BlockCause.MANUAL}
    if len(by_hand) < len(places):
        await repository.record(work.connection, [_line(p, e, origin) for p, e in places.items() if p not in by_hand])
    if by_hand:
        said = {
            place: (_time(entry, origin), origin.by, _words(entry, origin), None) for place, entry in by_hand.items()
        }
        await repository.set_by_hand(work.connection, said)
    triggers = {place: _trigger(_time(entry, origin), origin) for place, entry in places.items()}
    await reassess(work, triggers, UnblockCause.SETTINGS, now)


async def clear(work: UnitOfWork, entries: Mapping[str, Entry], origin: Origin, now: datetime) -> None:
    """Clear the bounce-flag of the addresses, as of the moment at which the list came in."""
    places: list[Key] = [(origin.tenant, address) for address in entries]
    await repository.clear(work.connection, dict.fromkeys(places, (origin.time, origin.by, origin.note)))
    await reassess(work, dict.fromkeys(places, _trigger(origin.time, origin)), UnblockCause.CLEARED, now)


async def blocked(connection: Connection, tenant: str, addresses: Sequence[str], now: datetime) -> set[str]:
    """Return which of the addresses are blocked."""
    rows = await connection.fetch(Q["check"], tenant, addresses, now, None)
    return {row["address"] for row in rows if row["cause"] != ERASED}


def _line(place: Key, entry: Entry, origin: Origin) -> Line:
    fault = Fault.NONE if entry.cause is BlockCause.COMPLAINT else Fault.RECIPIENT
    return Line(
        *place,
        UUID(ids.of_content("import", *place, entry.cause, _time(entry, origin))),
        _time(entry, origin),
        entry.cause is BlockCause.DEAD_ADDRESS,
        f"import-{origin.id}",
        entry.reason or Reason.UNDETERMINED,
        fault,
        RULE,
        None,
        _words(entry, origin),
    )


def _trigger(time: datetime, origin: Origin) -> Trigger:
    return Trigger(str(origin.id), time, origin.by, f"import-{origin.id}", origin.note)


def _time(entry: Entry, origin: Origin) -> datetime:
    return min(entry.time or origin.time, origin.time)


def _words(entry: Entry, origin: Origin) -> str:
    return "; ".join(part for part in (origin.note, entry.note) if part)
