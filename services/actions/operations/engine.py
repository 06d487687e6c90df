"""The engine: serves one part of the operation that has waited longest, then one of the next.

A part is one transaction: what it does, its events and that it is done come together or not at all. Who dies leaves an
open part, which the next worker takes, in this process or another.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from returpost.contracts import OperationState
from services.actions.operations import states, store
from services.actions.operations.kinds import KINDS
from services.actions.operations.model import Answer, Kind, Part, Refused, Running
from services.actions.operations.telling import tell_end, tell_progress
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.transient_errors import is_infrastructure

MOST_ON_THEIR_WAY = 16
"""Parts of one operation that were commanded and not answered: what a cancellation has to wait for, and what the
blocklist may find in its queue at once."""

log = structlog.get_logger()


@dataclass
class Engine:
    """Does what is to be done, as long as it is called."""

    resend_after: timedelta
    idle: float
    """Seconds until it looks again when there was nothing to do, and nobody woke it."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def round(self, pool: Pool, uow_factory: UnitOfWorkFactory) -> None:
        """Give each operation a turn; wait when none of them had anything to do."""
        self.wake.clear()
        began = datetime.now(UTC)
        worked = False
        while (turn := await store.take_turn(pool, began)) is not None:
            worked |= await self.serve(uow_factory, *turn)
        if not worked:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), self.idle)

    async def serve(self, uow_factory: UnitOfWorkFactory, no: int, state: OperationState) -> bool:
        """Do the next thing of an operation; tells whether there was any."""
        if state is OperationState.QUEUED:
            return await _begin(uow_factory, no)
        if await self._part(uow_factory, no) or await self._again(uow_factory, no):
            return True
        return await _conclude(uow_factory, no)

    async def _part(self, uow_factory: UnitOfWorkFactory, no: int) -> bool:
        part: Part | None = None
        try:
            async with uow_factory.begin() as work:
                operation = await store.share(work.connection, no)
                wanted = _wanted(operation, KINDS[operation.operation])
                if wanted is None:
                    return False
                part = await store.take_part(work.connection, no, wanted, MOST_ON_THEIR_WAY)
                if part is None:
                    return False
                await _do(work, operation, part, wanted == "open")
        except Exception as error:
            if part is None or is_infrastructure(error):
                raise
            await _fail(uow_factory, no, part, error)
        return True

    async def _again(self, uow_factory: UnitOfWorkFactory, no: int) -> bool:
        """Give a command again that was not answered."""
        async with uow_factory.begin() as work:
            operation = await store.share(work.connection, no)
            if not KINDS[operation.operation].again:
                return False
            found = await store.take_unanswered(work.connection, no, datetime.now(UTC) - self.resend_after)
            if found is None:
                return False
            part, state = found
            await _do(work, operation, part, state == "given")
        return True


def _wanted(operation: Running, kind: Kind) -> str | None:
    """Return the state of the parts that are to be taken next."""
    if operation.state is OperationState.RUNNING:
        return "open"
    takes_back = operation.state is OperationState.UNDOING or (
        operation.state is OperationState.CANCELLING and not operation.keep
    )
    return "done" if takes_back and kind.undo else None


async def _begin(uow_factory: UnitOfWorkFactory, no: int) -> bool:
    async with uow_factory.begin() as work:
        row = await work.connection.fetchrow(store.Q["hold_free"], no)
        if row is None or row["state"] != OperationState.QUEUED:
            return False
        operation = store.running(row)
        kind = KINDS[operation.operation]
        try:
            made = await kind.begin(work, operation) if kind.begin else {}
        except Refused as refused:
            moved = await store.move(work.connection, no, OperationState.FAILED, {}, str(refused))
            await tell_end(work, moved)
            return True
        moved = await store.move(work.connection, no, OperationState.RUNNING, made)
        await tell_progress(work, moved, f"{moved.tenant} {moved.id}")
    return True


async def _do(work: UnitOfWork, operation: Running, part: Part, forward: bool) -> None:
    kind = KINDS[operation.operation]
    step = kind.apply if forward or kind.undo is None else kind.undo
    answer: Answer | None = await step(work, operation, part)
    if answer is not None:
        await store.leave_part(work.connection, part, "given" if forward else "taken_back", answer.id)
        return
    await store.leave_part(work.connection, part, "done" if forward else "undone")
    await tell_progress(work, operation, f"{operation.tenant} {operation.id} {part.part} {forward}")


async def _fail(uow_factory: UnitOfWorkFactory, no: int, part: Part, error: Exception) -> None:
    """Note that a part can never be done; the others go on. The error's text may hold addresses: it is not logged."""
    log.warning("part of an operation failed", operation=no, part=part.part, error=type(error).__name__)
    why = str(error) if isinstance(error, Refused) else type(error).__name__
    async with uow_factory.begin() as work:
        operation = await store.share(work.connection, no)
        await work.connection.execute(store.Q["fail_rows"], *part.rows, why)
        await store.leave_part(work.connection, part, "failed")
        await tell_progress(work, operation, f"{operation.tenant} {operation.id} {part.part} failed")


async def _conclude(uow_factory: UnitOfWorkFactory, no: int) -> bool:
    """End an operation of which nothing is left to do."""
    async with uow_factory.begin() as work:
        row = await work.connection.fetchrow(store.Q["hold_free"], no)
        if row is None:
            return False
        operation = store.running(row)
        if operation.state in states.ENDED or operation.state is OperationState.QUEUED:
            return False
        kind = KINDS[operation.operation]
        counted = await store.progress(work.connection, no)
        left = {"open": counted["open"], "done": counted["done_parts"], None: 0}[_wanted(operation, kind)]
        if left or counted["waiting"]:
            return False
        if kind.undone and not counted["done_parts"] and operation.state is not OperationState.RUNNING:
            await kind.undone(work, operation)
        ended = await store.move(work.connection, no, states.end(operation.state, counted["failed_parts"]), {})
        await tell_end(work, ended)
    return True
