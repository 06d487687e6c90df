"""What the rows of a list do to the addresses they name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from returpost.contracts import ids
from returpost.contracts.enums import BlockCause, Fault, Reason, UnblockCause
from services.blocklist.address_state.records import HistoryEntry, Key, Trigger
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.checks import repository as checks
from services.blocklist.checks.domains.domain import ERASED
from services.blocklist.suppression_files.entry import Entry
from services.blocklist.suppression_files.repository import subject_of
from shared.database.pool import Connection
from shared.messaging.unit_of_work import UnitOfWork

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
    """Block the addresses, by key: by the cause that each row names, those without one by hand.

    Each is as old as its row says: what was cleared or delivered since stays as it is.
    """
    repository = PostgresRepository(work.connection)
    by_key: dict[Key, Entry] = {(origin.tenant, address): entry for address, entry in entries.items()}
    await repository.lock_or_create(dict.fromkeys(by_key))
    by_hand = {key: entry for key, entry in by_key.items() if entry.cause is BlockCause.MANUAL}
    left = {key: entry for key, entry in by_key.items() if entry.cause is BlockCause.FORMER_EMPLOYEE}
    told = by_key.keys() - by_hand.keys() - left.keys()
    if told:
        await repository.add_history(_history(key, by_key[key], origin) for key in told)
    if left:
        await repository.set_former(
            {key: (_time(entry, origin), origin.by, _note(entry, origin)) for key, entry in left.items()}
        )
    if by_hand:
        await repository.block(
            {key: (_time(entry, origin), origin.by, _note(entry, origin), None) for key, entry in by_hand.items()}
        )
    triggers = {key: _trigger(_time(entry, origin), origin) for key, entry in by_key.items()}
    await reevaluate(work, repository, triggers, UnblockCause.SETTINGS, now)


async def clear(work: UnitOfWork, entries: Mapping[str, Entry], origin: Origin, now: datetime) -> None:
    """Clear the bounce-flag of the addresses, as of the moment at which the list was received."""
    repository = PostgresRepository(work.connection)
    keys: list[Key] = [(origin.tenant, address) for address in entries]
    await repository.clear(dict.fromkeys(keys, (origin.time, origin.by, origin.note)))
    triggers = dict.fromkeys(keys, _trigger(origin.time, origin))
    await reevaluate(work, repository, triggers, UnblockCause.CLEARED, now)


async def blocked(connection: Connection, tenant: str, addresses: Sequence[str], now: datetime) -> set[str]:
    """Return which of the addresses are blocked."""
    rows = await checks.to_skip(connection, tenant, addresses, now, None)
    return {row["address"] for row in rows if row["cause"] != ERASED}


def _history(key: Key, entry: Entry, origin: Origin) -> HistoryEntry:
    fault = Fault.RECIPIENT if entry.cause is BlockCause.DEAD_ADDRESS else Fault.NONE
    return HistoryEntry(
        *key,
        UUID(ids.of_content("import", *key, entry.cause, _time(entry, origin))),
        _time(entry, origin),
        entry.cause is BlockCause.DEAD_ADDRESS,
        subject_of(origin.id),
        entry.reason or Reason.UNDETERMINED,
        fault,
        RULE,
        None,
        _note(entry, origin),
    )


def _trigger(time: datetime, origin: Origin) -> Trigger:
    return Trigger(str(origin.id), time, origin.by, subject_of(origin.id), origin.note)


def _time(entry: Entry, origin: Origin) -> datetime:
    return min(entry.time or origin.time, origin.time)


def _note(entry: Entry, origin: Origin) -> str:
    return "; ".join(part for part in (origin.note, entry.note) if part)
