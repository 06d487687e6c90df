"""Set contacts as former employees, and set them back."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from returpost.contracts import BlockApplied, BlockSet, BlockUndo
from services.actions.operations.domain import COMMAND_ROWS, Part, StoredOperation
from services.actions.operations.events import awaited_id, contact_changed
from services.actions.operations.kinds.block_commands import send_command, send_commands
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind
from services.actions.operations.repository import former_employees as contacts
from services.actions.operations.repository.former_employees import SKIP_UNLESS_FORMER
from services.actions.operations.repository.list_members import SKIP
from shared.messaging.unit_of_work import UnitOfWork

_NOTE = "former employee"


async def _set_former(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """Contacts become former employees; their addresses are blocked, unless somebody else who is there has them too."""
    connection, tenant = work.connection, operation.tenant
    those = await contacts.lock_contacts_of(connection, operation, part)
    changed = await contacts.set_former(connection, operation, part, those)
    await emit_contacts(work, operation, changed, f"leave {part.part}")
    of_part = await contacts.kept_contacts(connection, operation, part)
    addresses = await contacts.addresses_of_former(connection, tenant, of_part)
    await contacts.unplan(connection, operation, part, addresses)
    values = {"note": operation.note or _NOTE, "operation": operation.id}
    return send_commands(work, operation, part, addresses, BlockSet, BlockApplied, **values)


async def _undo_set_former(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    connection, tenant = work.connection, operation.tenant
    those = await contacts.kept_contacts(connection, operation, part)
    await contacts.lock_contacts(connection, tenant, those)
    changed = await contacts.undo_set_former(connection, operation, part)
    await emit_contacts(work, operation, changed, f"come back {part.part}")
    await contacts.plan_again(connection, operation, part)
    addresses = await contacts.addresses_of(connection, tenant, those)
    values = {"operation": operation.id, "of": operation.time}
    return send_commands(work, operation, part, addresses, BlockUndo, BlockApplied, **values)


async def _set_back(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """Contacts are set back: the blocks of when they were set as former employees are undone, other blocks stay.

    They are in the mailings to come, not in those that they were removed from.
    """
    those = await contacts.lock_contacts_of(work.connection, operation, part)
    changed = await contacts.set_back(work.connection, operation, part, those)
    await emit_contacts(work, operation, changed, f"set back {part.part}")
    last: str | None = None
    left = await contacts.left_by(work.connection, operation, part)
    for number, (by, addresses) in enumerate(_in_commands(left)):
        last = send_command(work, operation, part, BlockUndo, addresses, number, operation=by.id, of=by.time)
    return AwaitedEvent(awaited_id(last, BlockApplied)) if last else None


async def _undo_set_back(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """Contacts are former employees as before; their addresses are blocked as they were."""
    connection, tenant = work.connection, operation.tenant
    those = await contacts.kept_contacts(connection, operation, part)
    await contacts.lock_contacts(connection, tenant, those)
    changed = await contacts.undo_set_back(connection, operation, part)
    await emit_contacts(work, operation, changed, f"left again {part.part}")
    theirs = set(await contacts.addresses_of_former(connection, tenant, those))
    last: str | None = None
    left = await contacts.left_by(connection, operation, part)
    for number, (by, addresses) in enumerate(_in_commands(left)):
        blocked = [one for one in addresses if one in theirs]
        if blocked:
            again = replace(operation, time=by.time, by=by.by)
            values = {"note": by.note or _NOTE, "operation": by.id}
            last = send_command(work, again, part, BlockSet, blocked, number, **values)
    return AwaitedEvent(awaited_id(last, BlockApplied)) if last else None


def _in_commands(
    left: Sequence[tuple[StoredOperation, list[str]]],
) -> Iterator[tuple[StoredOperation, list[str]]]:
    """Yield operations with addresses for one command each."""
    for operation, addresses in left:
        for start in range(0, len(addresses), COMMAND_ROWS):
            yield operation, addresses[start : start + COMMAND_ROWS]


async def emit_contacts(work: UnitOfWork, operation: StoredOperation, changed: Sequence[str], cause: str) -> None:
    """Emit what contacts are now."""
    for contact in await contacts.read(work.connection, operation.tenant, changed):
        work.emit(contact_changed(operation, contact, cause))


SET_FORMER = OperationKind(apply=_set_former, undo=_undo_set_former, skip=SKIP, part_rows=COMMAND_ROWS)
SET_BACK = OperationKind(apply=_set_back, undo=_undo_set_back, skip=SKIP_UNLESS_FORMER, part_rows=COMMAND_ROWS)
