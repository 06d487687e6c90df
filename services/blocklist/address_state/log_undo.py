"""Undoing what is in the log of blocks and lifts: the last of an address, and all that an import did."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state import block_log, repository
from services.blocklist.address_state.block_log import Undo
from services.blocklist.address_state.reevaluate import Moved, Trigger, reassess
from services.blocklist.address_state.repository import Key
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).with_name("block_log.sql"))


async def undo_last(work: UnitOfWork, keys: Iterable[Key], trigger: Trigger, now: datetime) -> Counter[str]:
    """Undo the last block or lift of each of these addresses; return how many by what was done, `nothing` among it."""
    wanted = sorted(set(keys))
    last = await block_log.last(work.connection, await repository.take_in_hand(work.connection, wanted))
    said = (now, trigger.by, trigger.note)
    by_what: dict[Undo, list[Key]] = {
        what: [key for key in wanted if key in last and last[key].undo is what] for what in Undo
    }
    times = {key: last[key].said_at for key in by_what[Undo.TAKE_BACK]}
    await repository.undo(work.connection, {key: time for key, time in times.items() if time is not None})
    await repository.clear(work.connection, dict.fromkeys(by_what[Undo.LIFT], said))
    await repository.set_by_hand(work.connection, dict.fromkeys(by_what[Undo.BLOCK], (*said, None)))
    await reassess(work, dict.fromkeys(last, trigger), UnblockCause.UNDONE, now)
    done = Counter({what.value: len(found) for what, found in by_what.items() if found})
    if nothing := len(wanted) - len(last):
        done["nothing"] = nothing
    return done


async def undo_import(
    work: UnitOfWork, keys: Sequence[Key], import_: UUID, received_at: datetime, trigger: Trigger, now: datetime
) -> Moved:
    """Take back what an import said of these addresses; the standing follows from what is left."""
    await repository.touch(work.connection, dict.fromkeys(keys))
    await work.connection.execute(Q["unimport"], *repository.columns(sorted(keys), 2), f"import-{import_}")
    last = await block_log.last(work.connection, keys)
    # What is not dated is as old as the list; what is dated has another time, and is the last that was said if any is.
    dated = {key: one.said_at for key, one in last.items() if one.subject == f"import-{import_}" and one.blocked}
    await repository.undo(work.connection, {key: dated.get(key) or received_at for key in keys})
    return await reassess(work, dict.fromkeys(keys, trigger), UnblockCause.UNDONE, now)
