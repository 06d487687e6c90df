"""Correct one address: the new one takes its place in the contact, and starts clean."""

from returpost.contracts import Address, AddressErase, Id
from returpost.contracts.addresses import key
from services.actions import store as actions_store
from services.actions.operations import store
from services.actions.operations.blocking import give
from services.actions.operations.model import Answer, Kind, Parameters, Part, Refused, Running
from services.actions.operations.people import Q, tell
from shared.messaging.unit_of_work import UnitOfWork

_SKIP = """(
    SELECT CASE WHEN count(*) = 0 THEN 'no_contact' END
    FROM contact_addresses AS a WHERE a.tenant = $2 AND a.address = c.address)"""


class Correction(Parameters):
    """The address that is right. The preview has it validated; a program that asks by a command does so itself."""

    new: Address
    contact: Id | None = None
    """Of which contact; none named: of all whose it is."""
    erase_old: bool = False
    """The old address is erased for ever; else it keeps its history."""
    anyway: bool = False
    """It is put in though it does not seem to take mail."""


async def _correct(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    told = Correction.model_validate(operation.parameters)
    connection, tenant, new = work.connection, operation.tenant, key(told.new)
    await actions_store.erased(connection, ())  # no erasure may come in between
    for old in await store.addresses(connection, part):
        owners = [row["contact"] for row in await connection.fetch(Q["owners"], tenant, old, told.contact)]
        if not owners:
            raise Refused("the contact no longer has this address")
        await connection.execute(Q["hold"], tenant, sorted(owners))
        await connection.execute(Q["keep_address"], operation.no, part.part, tenant, old, owners)
        await connection.execute(Q["drop_old"], tenant, old, new, owners)
        await connection.execute(Q["correct"], tenant, old, new, owners, told.new)
        await connection.execute(Q["touch"], tenant, owners, operation.time)
        await tell(work, operation, owners, "correct")
        if told.erase_old:
            give(work, operation, part, AddressErase, [old])
    return None


async def _uncorrect(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    told = Correction.model_validate(operation.parameters)
    connection, tenant = work.connection, operation.tenant
    rows = await connection.fetch(Q["restore"], operation.no, part.part, tenant, key(told.new))
    back = sorted(row["contact"] for row in rows)
    await connection.execute(Q["touch"], tenant, back, operation.time)
    await tell(work, operation, back, "uncorrect")
    return None


CORRECT = Kind(apply=_correct, undo=_uncorrect, parameters=Correction, skip=_SKIP, size=1, most=1)
