"""Set contacts as former employees, and set them back."""

from collections.abc import Iterable, Sequence

from returpost.contracts import BlockApplied
from services.actions.contacts.former_employees import tell_former
from services.actions.contacts.repository import refresh_former
from services.actions.operations.domain import COMMAND_ROWS, Part, StoredOperation
from services.actions.operations.events import awaited_id, contact_changed
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind
from services.actions.operations.repository import former_employees as contacts
from services.actions.operations.repository.former_employees import SKIP_UNLESS_FORMER
from services.actions.operations.repository.list_members import SKIP
from shared.messaging.unit_of_work import UnitOfWork

_NOTE = "former employee"


async def _set_former(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """Contacts become former employees: skipped, unless somebody else who is there has their address too."""
    connection = work.connection
    those = await contacts.lock_contacts_of(connection, operation, part)
    changed = await contacts.set_former(connection, operation, part, those)
    await emit_contacts(work, operation, changed, f"leave {part.part}")
    of_part = await contacts.kept_contacts(connection, operation, part)
    addresses = await contacts.addresses_of_former(connection, operation.tenant, of_part)
    await contacts.unplan(connection, operation, part, addresses)
    return await tell_owners(work, operation, part, changed, "leave")


async def _undo_set_former(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    those = await contacts.kept_contacts(work.connection, operation, part)
    await contacts.lock_contacts(work.connection, operation.tenant, those)
    changed = await contacts.undo_set_former(work.connection, operation, part)
    await emit_contacts(work, operation, changed, f"come back {part.part}")
    await contacts.plan_again(work.connection, operation, part)
    return await tell_owners(work, operation, part, changed, "come back")


async def _set_back(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """Contacts are set back: that they had left no longer holds, other causes stay.

    They are in the mailings to come, not in those that they were removed from.
    """
    those = await contacts.lock_contacts_of(work.connection, operation, part)
    changed = await contacts.set_back(work.connection, operation, part, those)
    await emit_contacts(work, operation, changed, f"set back {part.part}")
    return await tell_owners(work, operation, part, changed, "set back")


async def _undo_set_back(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    """Contacts are former employees as before."""
    those = await contacts.kept_contacts(work.connection, operation, part)
    await contacts.lock_contacts(work.connection, operation.tenant, those)
    changed = await contacts.undo_set_back(work.connection, operation, part)
    await emit_contacts(work, operation, changed, f"left again {part.part}")
    return await tell_owners(work, operation, part, changed, "left again")


async def tell_owners(
    work: UnitOfWork, operation: StoredOperation, part: Part, changed: Sequence[str], step: str
) -> AwaitedEvent | None:
    """Have the blocklist skip the addresses of changed contacts, or no longer; return the event that says it does."""
    addresses = await contacts.addresses_of(work.connection, operation.tenant, changed)
    return await tell_addresses(work, operation, part, addresses, step)


async def tell_addresses(
    work: UnitOfWork, operation: StoredOperation, part: Part, addresses: Iterable[str], step: str
) -> AwaitedEvent | None:
    """The same of addresses."""
    news = await refresh_former(work.connection, [(operation.tenant, address) for address in addresses])
    cause = f"{operation.tenant} {operation.id} {part.part} {step}"
    last = tell_former(work, news, cause, operation.by, operation.note or _NOTE, operation.id)
    return AwaitedEvent(awaited_id(last, BlockApplied)) if last else None


async def emit_contacts(work: UnitOfWork, operation: StoredOperation, changed: Sequence[str], cause: str) -> None:
    """Emit what contacts are now."""
    for contact in await contacts.read(work.connection, operation.tenant, changed):
        work.emit(contact_changed(operation, contact, cause))


SET_FORMER = OperationKind(apply=_set_former, undo=_undo_set_former, skip=SKIP, part_rows=COMMAND_ROWS)
SET_BACK = OperationKind(apply=_set_back, undo=_undo_set_back, skip=SKIP_UNLESS_FORMER, part_rows=COMMAND_ROWS)
