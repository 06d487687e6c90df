"""Correct one address: the new one replaces it in the contact, and starts without history."""

from returpost.contracts import Address, AddressErase, Id
from returpost.contracts.addresses import key
from services.actions.mailings.repository.erasures import lock_out_erasures
from services.actions.operations.domain import Part, Refused, StoredOperation
from services.actions.operations.kinds.block_commands import send_command
from services.actions.operations.kinds.former_employees import emit_contacts
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind, Parameters
from services.actions.operations.repository import corrections, operations
from services.actions.operations.repository.former_employees import lock_contacts
from shared.messaging.unit_of_work import UnitOfWork


class Correction(Parameters):
    """The new address. The preview validates it; programs that send a command validate it themselves."""

    new: Address
    contact: Id | None = None
    """The contact to correct; none: all that have the address."""
    erase_old: bool = False
    """Erase the old address for ever; else it keeps its history."""
    anyway: bool = False
    """Correct although the new address does not seem to accept mail."""


async def _correct(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    parameters = Correction.model_validate(operation.parameters)
    connection, tenant = work.connection, operation.tenant
    await lock_out_erasures(connection)
    for old in await operations.open_addresses(connection, part):
        owners = await corrections.owners(connection, tenant, old, parameters.contact)
        if not owners:
            raise Refused("the contact no longer has this address")
        await lock_contacts(connection, tenant, owners)
        new = (key(parameters.new), parameters.new)
        await corrections.correct(connection, operation, part, old, new, owners)
        await emit_contacts(work, operation, owners, "correct")
        if parameters.erase_old:
            send_command(work, operation, part, AddressErase, [old])
    return None


async def _undo(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    new = key(Correction.model_validate(operation.parameters).new)
    restored = await corrections.restore(work.connection, operation, part, new)
    await emit_contacts(work, operation, restored, "uncorrect")
    return None


CORRECT = OperationKind(
    apply=_correct, undo=_undo, parameters=Correction, skip=corrections.SKIP, part_rows=1, max_rows=1
)
