"""The engine: does one part of the operation that has waited longest, then one of the next.

A part is one transaction: its effects, its events and its new state come together or not at all. A process that dies
leaves an open part, which the next worker takes, in this process or another.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from returpost.contracts import OperationState
from services.actions.operations.domain import ENDED, Part, Refused, StoredOperation, end, next_parts
from services.actions.operations.events import emit_finished, emit_progress
from services.actions.operations.kinds.operation_kind import OperationKind
from services.actions.operations.registry import REGISTRY
from services.actions.operations.repository import operations
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.transient_errors import is_infrastructure

MAX_WAITING_PARTS = 16
"""Parts of one operation that wait for events: what a cancellation has to wait for, and what the blocklist may find in
its queue at once."""

log = structlog.get_logger()


@dataclass
class Engine:
    """Works through operations, as long as `round` is called."""

    resend_after: timedelta
    idle: float
    """Seconds until it looks again when there was nothing to do, unless `wake` is set."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def round(self, pool: Pool, uow_factory: UnitOfWorkFactory) -> None:
        """Give each operation a turn; wait when none of them had anything to do."""
        self.wake.clear()
        began = datetime.now(UTC)
        worked = False
        while (turn := await operations.take_turn(pool, began)) is not None:
            worked |= await self.serve(uow_factory, *turn)
        if not worked:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wake.wait(), self.idle)

    async def serve(self, uow_factory: UnitOfWorkFactory, no: int, state: OperationState) -> bool:
        """Do the next thing of an operation; tells whether there was any."""
        if state is OperationState.QUEUED:
            return await _begin(uow_factory, no)
        if await self._do_part(uow_factory, no) or await self._resend(uow_factory, no):
            return True
        return await _conclude(uow_factory, no)

    async def _do_part(self, uow_factory: UnitOfWorkFactory, no: int) -> bool:
        part: Part | None = None
        try:
            async with uow_factory.begin() as work:
                operation = await operations.lock_shared(work.connection, no)
                state = next_parts(operation, _kind(operation).undo is not None)
                if state is None:
                    return False
                part = await operations.take_part(work.connection, no, state, MAX_WAITING_PARTS)
                if part is None:
                    return False
                await _do(work, operation, part, forward=state == "open")
        except Exception as error:
            if part is None or is_infrastructure(error):
                raise
            await _fail(uow_factory, no, part, error)
        return True

    async def _resend(self, uow_factory: UnitOfWorkFactory, no: int) -> bool:
        """Send a command again that was not answered."""
        async with uow_factory.begin() as work:
            operation = await operations.lock_shared(work.connection, no)
            if not _kind(operation).resends:
                return False
            before = datetime.now(UTC) - self.resend_after
            found = await operations.take_unanswered(work.connection, no, before)
            if found is None:
                return False
            part, state = found
            await _do(work, operation, part, forward=state == "commanded")
        return True


def _kind(operation: StoredOperation) -> OperationKind:
    return REGISTRY[operation.operation]


async def _begin(uow_factory: UnitOfWorkFactory, no: int) -> bool:
    async with uow_factory.begin() as work:
        operation = await operations.lock_if_free(work.connection, no)
        if operation is None or operation.state is not OperationState.QUEUED:
            return False
        before_first = _kind(operation).before_first
        try:
            result = await before_first(work, operation) if before_first else {}
        except Refused as refused:
            failed = await operations.set_state(work.connection, no, OperationState.FAILED, {}, str(refused))
            await emit_finished(work, failed)
            return True
        begun = await operations.set_state(work.connection, no, OperationState.RUNNING, result)
        await emit_progress(work, begun, f"{begun.tenant} {begun.id}")
    return True


async def _do(work: UnitOfWork, operation: StoredOperation, part: Part, *, forward: bool) -> None:
    kind = _kind(operation)
    step = kind.apply if forward or kind.undo is None else kind.undo
    awaited = await step(work, operation, part)
    if awaited is not None:
        state = "commanded" if forward else "undo_commanded"
        await operations.set_part_state(work.connection, part, state, awaited.id)
        return
    await operations.set_part_state(work.connection, part, "done" if forward else "undone")
    await emit_progress(work, operation, f"{operation.tenant} {operation.id} {part.part} {forward}")


async def _fail(uow_factory: UnitOfWorkFactory, no: int, part: Part, error: Exception) -> None:
    """Fail a part that can never be done; the others go on. The error's text may hold addresses: it is not logged."""
    log.warning("part of an operation failed", operation=no, part=part.part, error=type(error).__name__)
    why = str(error) if isinstance(error, Refused) else type(error).__name__
    async with uow_factory.begin() as work:
        operation = await operations.lock_shared(work.connection, no)
        await operations.fail_part(work.connection, part, why)
        await emit_progress(work, operation, f"{operation.tenant} {operation.id} {part.part} failed")


async def _conclude(uow_factory: UnitOfWorkFactory, no: int) -> bool:
    """End an operation of which nothing is left to do."""
    async with uow_factory.begin() as work:
        operation = await operations.lock_if_free(work.connection, no)
        if operation is None or operation.state in ENDED or operation.state is OperationState.QUEUED:
            return False
        kind = _kind(operation)
        counted = await operations.progress(work.connection, no)
        state = next_parts(operation, kind.undo is not None)
        left = {"open": counted.open, "done": counted.done_parts, None: 0}[state]
        if left or counted.waiting:
            return False
        if kind.after_undo and not counted.done_parts and operation.state is not OperationState.RUNNING:
            await kind.after_undo(work, operation)
        ended = await operations.set_state(work.connection, no, end(operation.state, counted.failed_parts), {})
        await emit_finished(work, ended)
    return True
