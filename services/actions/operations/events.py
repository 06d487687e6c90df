"""Events and commands of operations; all ids derive from the operation, so that a repeat is recognised."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from returpost.contracts import ContactChanged, Contract, OperationFinished, OperationProgressed, RetryRequested, ids
from returpost.contracts.cloudevents import Event
from returpost.contracts.enums import ListKind
from services.actions.contacts.lists.events import changed_contract
from services.actions.events import new_event
from services.actions.operations.domain import Part, StoredOperation
from services.actions.operations.repository import operations
from shared.messaging.unit_of_work import UnitOfWork


async def emit_progress(work: UnitOfWork, operation: StoredOperation, cause: str) -> None:
    """Emit how far an operation is; `cause` is the id of what brought it there."""
    counted = await operations.progress(work.connection, operation.no)
    data = OperationProgressed(
        operation=operation.operation,
        operation_id=operation.id,
        state=operation.state,
        total=counted.total,
        done=counted.settled,
        time=datetime.now(UTC),
    )
    _emit(work, operation, data, cause)


async def emit_progress_of(work: UnitOfWork, causes: Mapping[int, str]) -> None:
    """Emit how far operations are, each with the id of what brought it there."""
    for no, cause in sorted(causes.items()):
        await emit_progress(work, await operations.lock_shared(work.connection, no), cause)


async def emit_finished(work: UnitOfWork, operation: StoredOperation) -> None:
    """Emit how an operation ended."""
    counted = await operations.outcomes(work.connection, operation.no)
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


def _emit(
    work: UnitOfWork, operation: StoredOperation, data: OperationProgressed | OperationFinished, cause: str
) -> None:
    work.emit(new_event(data, id=ids.derived(cause, data.TYPE), tenant=operation.tenant, subject=operation.id))


def part_command(operation: StoredOperation, part: Part, data: Contract, number: int) -> Event[Any]:
    """Return the command with this number of a part."""
    identity = ids.derived(f"{operation.tenant} {operation.id} {part.part}", data.TYPE, number)
    return new_event(data, id=identity, tenant=operation.tenant, subject=operation.id)


def awaited_id(command: str, answer: type[Contract]) -> str:
    """Return the id of the event that answers a command."""
    return ids.derived(command, answer.TYPE)


def contact_changed(operation: StoredOperation, contact: dict[str, Any], cause: str) -> Event[Any]:
    """Return the event that says what a contact is after a step of an operation."""
    data = ContactChanged(**contact, what=operation.operation.value, by=operation.by, time=operation.time)
    identity = ids.derived(f"{operation.tenant} {operation.id} {cause}", f"{ContactChanged.TYPE} {data.contact}")
    return new_event(data, id=identity, tenant=operation.tenant, subject=data.contact)


def list_changed(operation: StoredOperation, kind: ListKind, identity: str, step: str, **values: Any) -> Event[Any]:
    """Return the event that says what a step of an operation changed in a list."""
    contract = changed_contract(kind)
    values |= {kind.value: identity, "what": operation.operation.value, "by": operation.by}
    data = contract(**values, time=operation.time, operation=operation.id)
    event_id = ids.derived(f"{operation.tenant} {operation.id}", f"{contract.TYPE} {step}")
    return new_event(data, id=event_id, tenant=operation.tenant, subject=identity)


def retry_requested(operation: StoredOperation, seq: int, data: RetryRequested) -> Event[Any]:
    """Return the command to send again to the recipient of a row."""
    identity = ids.derived(f"{operation.tenant} {operation.id}", RetryRequested.TYPE, seq)
    return new_event(data, id=identity, tenant=operation.tenant, subject=data.mailing)
