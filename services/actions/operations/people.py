"""Set as former employee, and correct one address: what operations do to contacts."""

from collections.abc import Sequence
from pathlib import Path

from services.actions import store as actions_store
from services.actions.contacts import SOURCE
from services.actions.operations import store
from services.actions.operations.blocking import command_over, give
from services.actions.operations.model import COMMAND_PART, Answer, Kind, Parameters, Part, Refused, Running
from shared import ids
from shared.addresses import key
from shared.cloudevents import event
from shared.contracts import Address, AddressErase, BlockApplied, BlockSet, BlockUndo, ContactChanged, Id
from shared.database import queries
from shared.outbox import Work
from shared.telemetry import traceparent

Q = queries(Path(__file__).with_name("people.sql"))

_LEFT = "former employee"
_SKIP_LEFT = """(
    SELECT CASE WHEN count(*) = 0 THEN 'no_contact' WHEN bool_and(o.former_employee) THEN 'former_employee' END
    FROM contact_addresses AS a JOIN contacts AS o USING (tenant, contact)
    WHERE a.tenant = $2 AND a.address = c.address)"""
_SKIP_NOBODYS = """(
    SELECT CASE WHEN count(*) = 0 THEN 'no_contact' END
    FROM contact_addresses AS a WHERE a.tenant = $2 AND a.address = c.address)"""


class Correction(Parameters):
    """The address that is right. It was validated before: `POST /v1/validate` of ingest, or `address.validate`."""

    new: Address
    contact: Id | None = None
    """Of which contact; none named: of all whose it is."""
    erase_old: bool = False
    """The old address is erased for ever; else it keeps its history."""


async def _leave(work: Work, operation: Running, part: Part) -> Answer | None:
    """Contacts leave, and their addresses all mailings to come, unless they are also somebody's who is still there."""
    connection, tenant = work.connection, operation.tenant
    rows = await connection.fetch(Q["contacts"], operation.no, tenant, part.first, part.last)
    people = sorted(row["contact"] for row in rows)
    await connection.execute(Q["hold"], tenant, people)
    await connection.execute(Q["keep_people"], tenant, people, operation.no, part.part)
    left = [row["contact"] for row in await connection.fetch(Q["leave"], tenant, people, operation.time)]
    await _tell(work, operation, left, f"leave {part.part}")
    of_part = [row["id"] for row in await connection.fetch(Q["people_of"], operation.no, part.part)]
    addresses = [row["address"] for row in await connection.fetch(Q["only_theirs"], tenant, of_part)]
    await connection.execute(Q["unplan"], tenant, addresses, operation.no, part.part)
    return command_over(
        work, operation, part, addresses, BlockSet, BlockApplied, note=operation.note or _LEFT, operation=operation.id
    )


async def _come_back(work: Work, operation: Running, part: Part) -> Answer | None:
    connection, tenant = work.connection, operation.tenant
    people = [row["id"] for row in await connection.fetch(Q["people_of"], operation.no, part.part)]
    await connection.execute(Q["hold"], tenant, people)
    back = await connection.fetch(Q["come_back"], tenant, operation.no, part.part, operation.time)
    await _tell(work, operation, [row["contact"] for row in back], f"come back {part.part}")
    await connection.execute(Q["plan_again"], tenant, operation.no, part.part)
    addresses = [row["address"] for row in await connection.fetch(Q["theirs"], tenant, people)]
    return command_over(
        work, operation, part, addresses, BlockUndo, BlockApplied, operation=operation.id, of=operation.time
    )


async def _correct(work: Work, operation: Running, part: Part) -> Answer | None:
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
        await _tell(work, operation, owners, "correct")
        if told.erase_old:
            give(work, operation, part, AddressErase, [old])
    return None


async def _uncorrect(work: Work, operation: Running, part: Part) -> Answer | None:
    told = Correction.model_validate(operation.parameters)
    connection, tenant = work.connection, operation.tenant
    rows = await connection.fetch(Q["restore"], operation.no, part.part, tenant, key(told.new))
    back = sorted(row["contact"] for row in rows)
    await connection.execute(Q["touch"], tenant, back, operation.time)
    await _tell(work, operation, back, "uncorrect")
    return None


async def _tell(work: Work, operation: Running, contacts: Sequence[str], cause: str) -> None:
    for row in await work.connection.fetch(Q["now"], operation.tenant, contacts):
        data = ContactChanged(**dict(row), what=operation.operation.value, by=operation.by, time=operation.time)
        identity = ids.derived(f"{operation.tenant} {operation.id} {cause}", f"{ContactChanged.TYPE} {data.contact}")
        work.emit(
            event(
                data,
                id=identity,
                source=SOURCE,
                tenant=operation.tenant,
                subject=data.contact,
                traceparent=traceparent(),
            )
        )


LEAVE = Kind(apply=_leave, undo=_come_back, skip=_SKIP_LEFT, size=COMMAND_PART)
CORRECT = Kind(apply=_correct, undo=_uncorrect, parameters=Correction, skip=_SKIP_NOBODYS, size=1, most=1)
