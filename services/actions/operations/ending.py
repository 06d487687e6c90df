"""What becomes of operations in the end: erased addresses leave them, and what is old is removed."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from returpost.contracts import ids
from services.actions import store as actions_store
from services.actions.operations import store
from services.actions.operations.answers import tell
from services.actions.operations.store import Q
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

FORGETTING = 10_000
"""Rows that are removed in one transaction."""


async def forget(work: UnitOfWork, places: Iterable[actions_store.Place], cause: str) -> None:
    """Remove erased addresses from all operations, with the files that they are in; settle the deletions."""
    columns = actions_store.columns(sorted(places), 2)
    touched = {row["operation"] for row in await work.connection.fetch(Q["forget_rows"], *columns)}
    for name in ("forget_before", "forget_corrections", "forget_searches", "forget_audited_searches"):
        await work.connection.execute(Q[name], *columns)
    if touched:
        await work.connection.execute(Q["forget_files"], sorted(touched))
        settled = await store.emptied(work.connection, sorted(touched))
        await tell(work, {no: ids.derived(cause, str(no)) for no in settled})


async def remove_old(
    uow_factory: UnitOfWorkFactory, now: datetime, previews: timedelta, rows: timedelta, files: timedelta
) -> bool:
    """Remove previews that nobody confirmed, files whose time is over, and the rows of what ended long ago.

    What an operation was stays, and the audit with it. Tells whether there may be more to remove.
    """
    async with uow_factory.begin() as work:
        connection = work.connection
        await connection.execute(Q["expire_files"], now - files)
        found = [row["no"] for row in await connection.fetch(Q["old"], now - previews, now - rows)]
        removed = 0
        for name in ("remove_rows", "remove_before"):
            removed += len(await connection.fetch(Q[name], found, FORGETTING))
        if found and removed < FORGETTING:
            await connection.execute(Q["remove_parts"], found)
            await connection.execute(Q["remove_previews"], found)
        return bool(found)
