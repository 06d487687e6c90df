"""Copy or add the contacts of the target's addresses to a selection or a project."""

from functools import partial
from typing import Any

from returpost.contracts import Id, Title
from returpost.contracts.enums import ListKind
from services.actions.operations.domain import Part, Refused, StoredOperation
from services.actions.operations.events import list_changed
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind, Parameters
from services.actions.operations.repository import list_members, operations
from services.actions.operations.repository.list_members import SKIP, ListPlace
from shared.messaging.unit_of_work import UnitOfWork


class NewList(Parameters):
    """The name of the new selection or project."""

    name: Title


class KnownList(Parameters):
    """The id of the selection or project."""

    list: Id


async def _check(work: UnitOfWork, tenant: str, parameters: KnownList, *, kind: ListKind) -> None:
    if not await list_members.exists(work.connection, ListPlace(tenant, kind.value, parameters.list)):
        raise Refused(f"parameters.list: there is no such {kind.value}")


async def _create(work: UnitOfWork, operation: StoredOperation, *, kind: ListKind) -> dict[str, Any]:
    name, place = operation.parameters["name"], ListPlace(operation.tenant, kind.value, operation.id)
    await list_members.create_list(work.connection, place, name, operation.time)
    work.emit(list_changed(operation, kind, _list_of(operation), "made", name=name))
    return {"list": operation.id}


async def _remove(work: UnitOfWork, operation: StoredOperation, *, kind: ListKind) -> dict[str, Any]:
    await _remove_rest(work, operation, kind=kind)
    made = operation.result.get("list")
    place = ListPlace(operation.tenant, kind.value, made or "")
    if made and await list_members.remove_if_empty(work.connection, place):
        work.emit(list_changed(operation, kind, _list_of(operation), "unmade", deleted=True))
    return {"list": None}


async def _remove_rest(work: UnitOfWork, operation: StoredOperation, *, kind: ListKind) -> dict[str, Any]:
    """Remove members whose addresses have changed hands since: no part finds them any more."""
    place = await _lock(work, operation, kind, undo=True)
    removed = await list_members.remove_rest(work.connection, operation, place)
    if removed:
        work.emit(list_changed(operation, kind, place.list, "remove rest", removed=removed))
    return {}


async def _add(work: UnitOfWork, operation: StoredOperation, part: Part, *, kind: ListKind) -> AwaitedEvent | None:
    place, connection = await _lock(work, operation, kind), work.connection
    skipped = await list_members.rows_to_skip(connection, operation.tenant, part)
    await operations.skip_rows(connection, operation.no, skipped)
    contacts = await list_members.contacts_of(connection, operation.tenant, part, former_employees=False)
    added = await list_members.add_members(connection, operation, part, place, contacts)
    if added:
        work.emit(list_changed(operation, kind, place.list, f"add {part.part}", added=added))
    return None


async def _undo(work: UnitOfWork, operation: StoredOperation, part: Part, *, kind: ListKind) -> AwaitedEvent | None:
    place, connection = await _lock(work, operation, kind, undo=True), work.connection
    contacts = await list_members.contacts_of(connection, operation.tenant, part, former_employees=True)
    removed = await list_members.remove_members(connection, operation, place, contacts)
    if removed:
        work.emit(list_changed(operation, kind, place.list, f"remove {part.part}", removed=removed))
    await list_members.restore_non_members(connection, operation, part, place)
    return None


async def _lock(work: UnitOfWork, operation: StoredOperation, kind: ListKind, *, undo: bool = False) -> ListPlace:
    place = ListPlace(operation.tenant, kind.value, _list_of(operation))
    if not await list_members.exists(work.connection, place, lock=True) and not undo:
        raise Refused(f"the {kind.value} is no longer there")
    return place


def _list_of(operation: StoredOperation) -> str:
    name: str = operation.result.get("list") or operation.parameters.get("list") or operation.id
    return name


def copy_to_new(kind: ListKind) -> OperationKind:
    """Copy to a new selection or project."""
    return OperationKind(
        apply=partial(_add, kind=kind),
        undo=partial(_undo, kind=kind),
        parameters=NewList,
        skip=SKIP,
        before_first=partial(_create, kind=kind),
        after_undo=partial(_remove, kind=kind),
    )


def add_to_known(kind: ListKind) -> OperationKind:
    """Add to an existing selection or project."""
    return OperationKind(
        apply=partial(_add, kind=kind),
        undo=partial(_undo, kind=kind),
        parameters=KnownList,
        skip=SKIP,
        check=partial(_check, kind=kind),
        after_undo=partial(_remove_rest, kind=kind),
    )
