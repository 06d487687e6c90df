"""Events of operations: how far they are, and how they ended."""

from datetime import UTC, datetime

from returpost.contracts import OperationFinished, OperationProgressed, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.trace_context import traceparent
from services.actions.contacts import SOURCE
from services.actions.operations import store
from services.actions.operations.model import Running
from shared.messaging.unit_of_work import UnitOfWork


async def tell_progress(work: UnitOfWork, operation: Running, cause: str) -> None:
    """Tell how far an operation is; `cause` is the id of what brought it there."""
    counted = await store.progress(work.connection, operation.no)
    data = OperationProgressed(
        operation=operation.operation,
        operation_id=operation.id,
        state=operation.state,
        total=counted["total"],
        done=counted["settled"],
        time=datetime.now(UTC),
    )
    _emit(work, operation, data, cause)


async def tell_end(work: UnitOfWork, operation: Running) -> None:
    """Tell how an operation ended."""
    counted = await store.outcomes(work.connection, operation.no)
    data = OperationFinished(
        operation=operation.operation,
        operation_id=operation.id,
        state=operation.state,
        total=counted.total,
        outcomes=counted.outcomes,
        by=operation.by,
        time=datetime.now(UTC),
    )
    _emit(work, operation, data, f"{operation.tenant} {operation.id} {operation.state.value}")


def _emit(work: UnitOfWork, operation: Running, data: OperationProgressed | OperationFinished, cause: str) -> None:
    identity = ids.derived(cause, data.TYPE)
    work.emit(
        event(
            data, id=identity, source=SOURCE, tenant=operation.tenant, subject=operation.id, traceparent=traceparent()
        )
    )
