"""Copy or add the contacts of the chosen addresses to a selection or a project."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from returpost.contracts import Id, Label, ListChanged, ProjectChanged, SelectionChanged, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.enums import ListKind
from returpost.contracts.trace_context import traceparent
from services.actions.contacts import SOURCE
from services.actions.operations import store
from services.actions.operations.model import Answer, Kind, Parameters, Part, Refused, Running
from services.actions.text import folded, order_key
from shared.database.queries import queries
from shared.messaging.unit_of_work import UnitOfWork

Q = queries(Path(__file__).parents[1] / "sql" / "copying.sql")

SKIP = """(
    SELECT CASE WHEN o.address IS NULL THEN 'no_contact' WHEN o.former_employee THEN 'former_employee' END
    FROM (SELECT) AS one LEFT JOIN owners AS o ON o.tenant = $2 AND o.address = c.address)"""
"""Only who is somebody's, and still there, can be in a list; the owner is one who has left when all have."""

_SKIP_ROWS = Q["skip_rows"].format(skip=SKIP)


class NewList(Parameters):
    """What the new selection or project is called."""

    name: Label


class KnownList(Parameters):
    """The id of the selection or project."""

    list: Id


async def _check(work: UnitOfWork, tenant: str, parameters: KnownList, *, kind: ListKind) -> None:
    found = await work.connection.fetchrow(Q["list"], tenant, kind.value, parameters.list)
    if found is None or found["deleted"]:
        raise Refused(f"parameters.list: there is no such {kind.value}")


async def _make(work: UnitOfWork, operation: Running, *, kind: ListKind) -> dict[str, Any]:
    name = operation.parameters["name"]
    await work.connection.execute(
        Q["make_list"],
        operation.tenant,
        kind.value,
        operation.id,
        name,
        operation.time,
        order_key(name),
        folded(name),
    )
    _tell(work, operation, kind, "made", name=name)
    return {"list": operation.id}


async def _unmake(work: UnitOfWork, operation: Running, *, kind: ListKind) -> dict[str, Any]:
    await _take_out_rest(work, operation, kind)
    place = (operation.tenant, kind.value, operation.result.get("list"))
    if await work.connection.fetchval(Q["unmake_list"], *place):
        _tell(work, operation, kind, "unmade", deleted=True)
    return {"list": None}


async def _undone(work: UnitOfWork, operation: Running, *, kind: ListKind) -> dict[str, Any]:
    await _take_out_rest(work, operation, kind)
    return {}


async def _apply(work: UnitOfWork, operation: Running, part: Part, *, kind: ListKind) -> Answer | None:
    place = await _hold(work, operation, kind)
    connection, of_part = work.connection, (operation.no, operation.tenant, part.first, part.last)
    gone = await connection.fetch(_SKIP_ROWS, *of_part)
    await store.skip(connection, operation.no, [(row["seq"], row["why"]) for row in gone])
    contacts = sorted(row["contact"] for row in await connection.fetch(Q["contacts"], *of_part, False))
    await connection.execute(Q["keep_members"], operation.no, part.part, *place, contacts, operation.time)
    added = await connection.fetch(Q["add_members"], *place, contacts, operation.time, operation.no)
    if added:
        await connection.execute(Q["count_members"], *place, len(added))
        _tell(work, operation, kind, f"add {part.part}", added=sorted(row["contact"] for row in added))
    return None


async def _undo(work: UnitOfWork, operation: Running, part: Part, *, kind: ListKind) -> Answer | None:
    place = await _hold(work, operation, kind, undo=True)
    of_part = (operation.no, operation.tenant, part.first, part.last)
    contacts = sorted(row["contact"] for row in await work.connection.fetch(Q["contacts"], *of_part, True))
    removed = await work.connection.fetch(Q["remove_members"], *place, contacts, operation.time, operation.no)
    await _took_out(work, operation, kind, f"remove {part.part}", removed)
    await work.connection.execute(Q["put_back"], operation.no, operation.tenant, part.part, kind.value, place[2])
    return None


async def _take_out_rest(work: UnitOfWork, operation: Running, kind: ListKind) -> None:
    _, _, name = await _hold(work, operation, kind, undo=True)
    removed = await work.connection.fetch(
        Q["remove_rest"], operation.no, operation.tenant, kind.value, name, operation.time
    )
    await _took_out(work, operation, kind, "remove rest", removed)


async def _took_out(work: UnitOfWork, operation: Running, kind: ListKind, what: str, rows: Sequence[Any]) -> None:
    if rows:
        await work.connection.execute(Q["count_members"], operation.tenant, kind.value, _list(operation), -len(rows))
        _tell(work, operation, kind, what, removed=sorted(row["contact"] for row in rows))


async def _hold(work: UnitOfWork, operation: Running, kind: ListKind, *, undo: bool = False) -> tuple[str, str, str]:
    place = (operation.tenant, kind.value, _list(operation))
    found = await work.connection.fetchrow(Q["hold_list"], *place)
    if not undo and (found is None or found["deleted"]):
        raise Refused(f"the {kind.value} is no longer there")
    return place


def _list(operation: Running) -> str:
    name: str = operation.result.get("list") or operation.parameters.get("list") or operation.id
    return name


def _tell(work: UnitOfWork, operation: Running, kind: ListKind, what: str, **values: Any) -> None:
    contract: type[ListChanged] = SelectionChanged if kind is ListKind.SELECTION else ProjectChanged
    values |= {kind.value: _list(operation), "what": operation.operation.value, "by": operation.by}
    data = contract(**values, time=operation.time, operation=operation.id)
    identity = ids.derived(f"{operation.tenant} {operation.id}", f"{contract.TYPE} {what}")
    work.emit(
        event(
            data,
            id=identity,
            source=SOURCE,
            tenant=operation.tenant,
            subject=_list(operation),
            traceparent=traceparent(),
        )
    )


def to_new(kind: ListKind) -> Kind:
    """Copy to a new selection or project."""
    return Kind(
        apply=partial(_apply, kind=kind),
        undo=partial(_undo, kind=kind),
        parameters=NewList,
        skip=SKIP,
        begin=partial(_make, kind=kind),
        undone=partial(_unmake, kind=kind),
    )


def to_known(kind: ListKind) -> Kind:
    """Add to a selection or project that there is."""
    return Kind(
        apply=partial(_apply, kind=kind),
        undo=partial(_undo, kind=kind),
        parameters=KnownList,
        skip=SKIP,
        check=partial(_check, kind=kind),
        undone=partial(_undone, kind=kind),
    )
