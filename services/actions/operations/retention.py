"""Erased addresses are removed from operations, and so is what is older than it is kept."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from returpost.contracts import ids
from services.actions.operations.events import emit_progress_of
from services.actions.operations.repository import operations
from shared.erased_addresses import AddressKey
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

BATCH_ROWS = 10_000
"""Rows that are removed in one transaction."""


async def erase_from_operations(work: UnitOfWork, addresses: Iterable[AddressKey], cause: str) -> None:
    """Erase addresses from all operations, with the files that they are in, and settle deletions that are done."""
    touched = await operations.erase_rows(work.connection, sorted(addresses))
    if touched:
        settled = await operations.settle_emptied(work.connection, touched)
        await emit_progress_of(work, {no: ids.derived(cause, str(no)) for no in settled})


async def remove_expired(
    uow_factory: UnitOfWorkFactory, now: datetime, previews: timedelta, rows: timedelta, files: timedelta
) -> bool:
    """Remove previews, files, and rows of ended operations, each after its time; true when more may be left.

    The operation itself stays, and the audit with it.
    """
    async with uow_factory.begin() as work:
        return await operations.remove_expired(work.connection, now - previews, now - rows, now - files, BATCH_ROWS)
