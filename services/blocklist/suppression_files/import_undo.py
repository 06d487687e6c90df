"""Undoing what an import did: its blocks, its clears and what it added to histories."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.records import Key, Trigger
from services.blocklist.address_state.reevaluate import Changes, reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.suppression_files import repository
from services.blocklist.suppression_files.repository import subject_of
from shared.messaging.unit_of_work import UnitOfWork


async def undo_import(
    work: UnitOfWork, keys: Sequence[Key], import_: UUID, received_at: datetime, trigger: Trigger, now: datetime
) -> Changes:
    """Undo what an import did to these addresses; their state follows from what is left."""
    states = PostgresRepository(work.connection)
    await states.lock_or_create(dict.fromkeys(keys))
    await repository.forget_history(work.connection, keys, import_)
    last = await states.last_logged(keys)
    # What is not dated is as old as the list; what is dated has another time, and is the last command if any is.
    dated = {key: one.commanded_at for key, one in last.items() if one.subject == subject_of(import_) and one.blocked}
    await states.undo({key: dated.get(key) or received_at for key in keys})
    return await reevaluate(work, states, dict.fromkeys(keys, trigger), UnblockCause.UNDONE, now)
