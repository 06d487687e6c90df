"""Working off what was received: a part, its effects and its report in one transaction."""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from asyncpg import Record

from returpost.contracts.addresses import key, normalise
from returpost.contracts.enums import BlockCause, Reason
from returpost.errors import InvalidAddress
from services.blocklist.suppression_files import apply
from services.blocklist.suppression_files.apply import Origin
from services.blocklist.suppression_files.entry import Entry, Fault
from services.blocklist.suppression_files.reader import Found
from services.blocklist.suppression_files.upload import Action, Q
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

TORN_AFTER: Final = timedelta(days=1)
"""How long a list that is not whole may still be coming in."""


class _TakeBack(Exception):
    """Ends a dry run."""


async def work_off_next(uow_factory: UnitOfWorkFactory, now: datetime) -> bool:
    """Work off the next part of a list; return whether there was one."""
    async with uow_factory.begin() as work:
        connection = work.connection
        row = await connection.fetchrow(Q["take"])
        if row is None:
            await connection.execute(Q["discard_torn"], now - TORN_AFTER)
            return False
        part = await connection.fetchrow(Q["next_part"], row["id"])
        if part is None:
            await connection.execute(Q["finish"], row["id"])
            return True
        found = unpacked(part["entries"])
        outcomes = await _outcomes(work, row, found, now)
        await connection.execute(Q["part_done"], row["id"], part["n"], _report(found, outcomes))
        counts = Counter(json.loads(row["outcomes"])) + Counter(outcome for outcome, _ in outcomes)
        await connection.execute(Q["advance"], row["id"], len(found), json.dumps(counts))
    return True


def unpacked(entries: bytes) -> list[Found]:
    """Return the rows of a part."""
    return [_found(values) for values in json.loads(zlib.decompress(entries))]


async def _outcomes(work: UnitOfWork, row: Record, found: Sequence[Found], now: datetime) -> list[tuple[str, str]]:
    """Take the rows; return outcome and problem of each."""
    origin = Origin(row["id"], row["tenant"], row["by"], row["note"], row["received_at"])
    entries: dict[str, Entry] = {}
    keys = [_key(each, entries) for each in found]
    addresses = sorted(entries)
    before = await apply.blocked(work.connection, origin.tenant, addresses, now)
    after = await _after(work, Action(row["action"]), entries, origin, row["dry_run"], now)
    names = {True: "blocked", False: "not_blocked"}, {True: "still_blocked", False: "lifted"}
    if row["action"] == Action.BLOCK:
        became = {a: "already_blocked" if a in before else names[0][a in after] for a in addresses}
    else:
        became = {a: names[1][a in after] if a in before else "not_blocked" for a in addresses}
    return [("invalid", problem) if problem else (became[address], "") for address, problem in keys]


async def _after(
    work: UnitOfWork, action: Action, entries: dict[str, Entry], origin: Origin, dry_run: bool, now: datetime
) -> set[str]:
    """Do it, and take it back if it is a dry run; return which addresses are blocked then."""
    take = apply.block if action is Action.BLOCK else apply.clear
    after: set[str] = set()
    told = len(work.outgoing)
    try:
        async with work.connection.transaction():
            if entries:
                await take(work, entries, origin, now)
            after = await apply.blocked(work.connection, origin.tenant, sorted(entries), now)
            if dry_run:
                raise _TakeBack
    except _TakeBack:
        del work.outgoing[told:]
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
