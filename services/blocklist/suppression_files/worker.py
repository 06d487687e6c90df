"""Applies lists that were received: a part, its effects and its report in one transaction."""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from returpost.contracts import ImportFinished, ids
from returpost.contracts.addresses import key, normalise
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import BlockCause, Reason
from returpost.errors import InvalidAddress
from services.blocklist.address_state.events import new_event
from services.blocklist.suppression_files import apply, repository
from services.blocklist.suppression_files.apply import Origin
from services.blocklist.suppression_files.entry import Entry, Fault
from services.blocklist.suppression_files.reader import Found
from services.blocklist.suppression_files.repository import Action, RunningImport
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.pacing import paced

TORN_AFTER: Final = timedelta(days=1)
"""How long a list that is not whole may still be coming in."""


class _RollBack(Exception):
    """Ends a dry run."""


async def apply_next_part(uow_factory: UnitOfWorkFactory, now: datetime) -> bool:
    """Apply the next part of a list; return whether there was one."""
    async with uow_factory.begin() as work:
        connection = work.connection
        running = await repository.take(connection)
        if running is None:
            await repository.discard_torn(connection, now - TORN_AFTER)
            return False
        part = await repository.next_part(connection, running.id)
        if part is None:
            await repository.finish(connection, running.id)
            if not running.dry_run:
                work.emit(_finished(running, now))
            return True
        n, entries = part
        found = unpacked(entries)
        outcomes = await _outcomes(work, running, found, now)
        counts = Counter(running.outcomes) + Counter(outcome for outcome, _ in outcomes)
        await repository.part_done(connection, running.id, n, _report(found, outcomes), len(found), counts)
    return True


def _finished(running: RunningImport, now: datetime) -> Event[ImportFinished]:
    data = ImportFinished(
        import_id=str(running.id),
        action=running.action.value,
        rows=sum(running.outcomes.values()),
        outcomes=running.outcomes,
        by=running.by,
        note=running.note,
        time=now,
    )
    return new_event(data, id=ids.derived(str(running.id), data.TYPE), tenant=running.tenant)


def unpacked(entries: bytes) -> list[Found]:
    """Return the rows of a part."""
    return [_found(values) for values in json.loads(zlib.decompress(entries))]


async def _outcomes(
    work: UnitOfWork, running: RunningImport, found: Sequence[Found], now: datetime
) -> list[tuple[str, str]]:
    """Apply the rows; return outcome and problem of each."""
    origin = Origin(running.id, running.tenant, running.by, running.note, running.received_at)
    entries: dict[str, Entry] = {}
    keys = [_key(each, entries) async for each in paced(found)]
    addresses = sorted(entries)
    before = await apply.blocked(work.connection, origin.tenant, addresses, now)
    after = await _after(work, running.action, entries, origin, running.dry_run, now)
    names = {True: "blocked", False: "not_blocked"}, {True: "still_blocked", False: "lifted"}
    if running.action is Action.BLOCK:
        became = {a: "already_blocked" if a in before else names[0][a in after] for a in addresses}
    else:
        became = {a: names[1][a in after] if a in before else "not_blocked" for a in addresses}
    return [("invalid", problem) if problem else (became[address], "") for address, problem in keys]


async def _after(
    work: UnitOfWork, action: Action, entries: dict[str, Entry], origin: Origin, dry_run: bool, now: datetime
) -> set[str]:
    """Do it, and roll it back if it is a dry run; return which addresses are blocked then."""
    take = apply.block if action is Action.BLOCK else apply.clear
    after: set[str] = set()
    before = len(work.outgoing)
    try:
        async with work.connection.transaction():
            if entries:
                await take(work, entries, origin, now)
            after = await apply.blocked(work.connection, origin.tenant, sorted(entries), now)
            if dry_run:
                raise _RollBack
    except _RollBack:
        del work.outgoing[before:]
    return after


def _key(found: Found, entries: dict[str, Entry]) -> tuple[str, str]:
    """Return the key of a row's address, and note the row under it; or what is wrong with the row."""
    if isinstance(found, Fault):
        return "", found.problem
    try:
        address = key(normalise(found.address))
    except InvalidAddress as error:
        return "", str(error)
    known = entries.get(address)
    if known is None or known.cause is BlockCause.MANUAL:
        entries[address] = found
    return address, ""


def _report(found: Sequence[Found], outcomes: Sequence[tuple[str, str]]) -> bytes:
    lines = [
        json.dumps({"row": each.row, "outcome": outcome} | ({"problem": problem} if problem else {}))
        for each, (outcome, problem) in zip(found, outcomes, strict=True)
    ]
    return zlib.compress("".join(f"{line}\n" for line in lines).encode())


def _found(values: list[Any]) -> Found:
    if len(values) == 2:
        return Fault(*values)
    row, address, cause, reason, time, note = values
    return Entry(
        row, address, BlockCause(cause), Reason(reason) if reason else None,
        datetime.fromisoformat(time) if time else None, note,
    )  # fmt: skip
