"""Set as former employee, and set back: what operations do to contacts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from returpost.contracts import BlockApplied, BlockSet, BlockUndo, ContactChanged, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.trace_context import traceparent
from services.actions.contacts import SOURCE
from services.actions.operations import store
from services.actions.operations.blocking import command_over, give
from services.actions.operations.copying import SKIP
from services.actions.operations.model import COMMAND_PART, Answer, Kind, Part, Running
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).parents[1] / "sql" / "people.sql")

_LEFT = "former employee"
_SKIP_THERE = """(
    SELECT CASE WHEN count(*) = 0 THEN 'no_contact' WHEN NOT bool_or(o.former_employee) THEN 'not_former_employee' END
    FROM contact_addresses AS a JOIN contacts AS o USING (tenant, contact)
    WHERE a.tenant = $2 AND a.address = c.address)"""


async def _leave(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    """Contacts leave, and their addresses all mailings to come, unless they are also somebody's who is still there."""
    connection, tenant = work.connection, operation.tenant
    rows = await connection.fetch(Q["contacts"], operation.no, tenant, part.first, part.last)
    people = sorted(row["contact"] for row in rows)
    await connection.execute(Q["hold"], tenant, people)
    await connection.execute(Q["keep_people"], tenant, people, operation.no, part.part)
    left = [row["contact"] for row in await connection.fetch(Q["leave"], tenant, people, operation.time, operation.id)]
    await tell(work, operation, left, f"leave {part.part}")
    of_part = [row["id"] for row in await connection.fetch(Q["people_of"], operation.no, part.part)]
    addresses = [row["address"] for row in await connection.fetch(Q["only_theirs"], tenant, of_part)]
    await connection.execute(Q["unplan"], tenant, addresses, operation.no, part.part)
    return command_over(
        work, operation, part, addresses, BlockSet, BlockApplied, note=operation.note or _LEFT, operation=operation.id
    )


async def _come_back(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    connection, tenant = work.connection, operation.tenant
    people = [row["id"] for row in await connection.fetch(Q["people_of"], operation.no, part.part)]
    await connection.execute(Q["hold"], tenant, people)
    back = await connection.fetch(Q["come_back"], tenant, operation.no, part.part, operation.time)
    await tell(work, operation, [row["contact"] for row in back], f"come back {part.part}")
    await connection.execute(Q["plan_again"], tenant, operation.no, part.part)
    addresses = [row["address"] for row in await connection.fetch(Q["theirs"], tenant, people)]
    return command_over(
        work, operation, part, addresses, BlockUndo, BlockApplied, operation=operation.id, of=operation.time
    )


async def _set_back(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    """Contacts are there again: what blocked their addresses when they left is undone, other blocks stay.

    They are in the mailings to come, not in those that they were taken out of.
    """
    connection, tenant = work.connection, operation.tenant
    rows = await connection.fetch(Q["contacts"], operation.no, tenant, part.first, part.last)
    people = sorted(row["contact"] for row in rows)
    await connection.execute(Q["hold"], tenant, people)
    await connection.execute(Q["keep_left"], tenant, people, operation.no, part.part)
    back = [row["contact"] for row in await connection.fetch(Q["set_back"], tenant, people, operation.time)]
    await tell(work, operation, back, f"set back {part.part}")
    last: str | None = None
    for n, (left, addresses) in enumerate(await _blocked_by(work, operation, part)):
        last = give(work, operation, part, BlockUndo, addresses, n, operation=left.id, of=left.time)
    return Answer(ids.derived(last, BlockApplied.TYPE)) if last else None


async def _left_after_all(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    """Contacts have left, as they had before; their addresses are blocked as they were."""
    connection, tenant = work.connection, operation.tenant
    people = [row["id"] for row in await connection.fetch(Q["people_of"], operation.no, part.part)]
    await connection.execute(Q["hold"], tenant, people)
    rows = await connection.fetch(Q["left_again"], tenant, operation.no, part.part, operation.time)
    await tell(work, operation, [row["contact"] for row in rows], f"left again {part.part}")
    addresses = {row["address"] for row in await connection.fetch(Q["only_theirs"], tenant, people)}
    last: str | None = None
    for n, (left, blocked) in enumerate(await _blocked_by(work, operation, part)):
        theirs = [one for one in blocked if one in addresses]
        if theirs:
            again = replace(operation, time=left.time, by=left.by)
            last = give(work, again, part, BlockSet, theirs, n, note=left.note or _LEFT, operation=left.id)
    return Answer(ids.derived(last, BlockApplied.TYPE)) if last else None


async def _blocked_by(work: UnitOfWork, operation: Running, part: Part) -> list[tuple[Running, list[str]]]:
    """Return the operations by which the contacts of a part had left, each with addresses for one command."""
    rows = await work.connection.fetch(Q["blocked_by"], operation.no, operation.tenant, part.part)
    return [(store.running(row), row["addresses"][n : n + COMMAND_PART])
            for row in rows for n in range(0, len(row["addresses"]), COMMAND_PART)]  # fmt: skip


async def tell(work: UnitOfWork, operation: Running, contacts: Sequence[str], cause: str) -> None:
    """Tell what contacts are now."""
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


LEAVE = Kind(apply=_leave, undo=_come_back, skip=SKIP, size=COMMAND_PART)
SET_BACK = Kind(apply=_set_back, undo=_left_after_all, skip=_SKIP_THERE, size=COMMAND_PART)
