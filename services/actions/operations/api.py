"""HTTP: operations are previewed, confirmed, watched, cancelled and undone."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from returpost.contracts import Id, Name, Operation, OperationState, Text, Time, ids
from services.actions.operations import preview, states, store, validating, watching
from services.actions.operations.chosen import Chosen
from services.actions.operations.correcting import Correction
from services.actions.operations.kinds import KINDS
from services.actions.operations.model import Refused, Running
from services.actions.operations.telling import tell_progress
from shared.http.auth import Caller, requires
from shared.http.problems import fields_of, problem
from shared.messaging.unit_of_work import UnitOfWork

router = APIRouter(prefix="/v1/operations", tags=["operations"])
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Tenant = Annotated[Name | None, Query()]
Key = Annotated[Id | None, Header(description="Asked again with the same key, it is the same operation.")]


class OperationRequest(BaseModel):
    """A bulk operation over what is chosen."""

    model_config = ConfigDict(extra="forbid")

    operation: Operation
    chosen: Chosen
    parameters: dict[str, Any] = Field(default_factory=dict)
    """What the operation needs besides: `name` of a new list, `list` of a known one."""
    note: Text = ""


class Confirmation(BaseModel):
    """The preview's token."""

    model_config = ConfigDict(extra="forbid")

    token: Text


class Cancellation(BaseModel):
    """How to cancel."""

    model_config = ConfigDict(extra="forbid")

    keep: bool = False
    """What was done stays; else it is undone, where it can be."""


def refusal(refused: Refused, status: int = 409) -> HTTPException:
    """Return the HTTP error of a refusal."""
    return HTTPException(status, str(refused))


@router.post("", status_code=201)
async def preview_operation(
    request: Request, caller: Writer, body: OperationRequest, tenant: Tenant = None, idempotency_key: Key = None
) -> Any:
    """Freeze what is chosen, and show what would happen: how many rows, which are skipped and why, a sample.

    Nothing is done until the preview is confirmed with its token; unconfirmed it is forgotten after a while.
    """
    owner = caller.tenant_for(tenant)
    try:
        parameters = KINDS[body.operation].parameters.model_validate(body.parameters)
    except ValidationError as error:
        faults = [fault | {"field": f"body.parameters.{fault['field']}"} for fault in fields_of(error)]
        return problem(422, "the request is not valid", errors=faults)
    validation: dict[str, Any] = {}
    if isinstance(parameters, Correction):
        found = await validating.look(request.app.state.ingest, request.headers["Authorization"], parameters.new)
        if not parameters.anyway and (errors := validating.refused(found)):
            return problem(422, "the new address does not take mail; `anyway` puts it in all the same", errors=errors)
        validation = {"validation": found}
    asked = preview.Request(
        id=ids.of_content(owner, "operation", idempotency_key) if idempotency_key else str(uuid4()),
        tenant=owner,
        operation=body.operation,
        chosen=body.chosen,
        parameters=parameters,
        by=caller.name,
        note=body.note,
        time=datetime.now(UTC),
    )
    try:
        async with request.app.state.service.uow_factory.begin() as work:
            return await preview.look(work, await preview.freeze(work, asked)) | validation
    except Refused as refused:
        raise refusal(refused, 422) from None


@router.post("/{operation_id}/confirm", status_code=202)
async def confirm(
    request: Request, caller: Writer, operation_id: Id, body: Confirmation, tenant: Tenant = None
) -> dict[str, Any]:
    """Do what was previewed; 409 when the rows are no longer those of the preview. Confirmed twice it is done once."""
    settings = request.app.state.service.settings

    async def change(work: UnitOfWork, operation: Running) -> Running:
        return await preview.confirm(work, operation, body.token, caller.name, datetime.now(UTC), settings.delete_grace)

    return await _change(request, caller.tenant_for(tenant), operation_id, change)


@router.post("/{operation_id}/cancel", status_code=202)
async def cancel(
    request: Request, caller: Writer, operation_id: Id, body: Cancellation | None = None, tenant: Tenant = None
) -> dict[str, Any]:
    """Stop an operation, and undo what it did so far where that can be, unless it is to be kept."""

    async def change(work: UnitOfWork, operation: Running) -> Running:
        state = states.cancel(operation.state)
        if state is OperationState.CANCELLING:
            await work.connection.execute(store.Q["keep"], operation.no, bool(body and body.keep))
        return await _move(work, operation, state, "cancelled", caller.name)

    return await _change(request, caller.tenant_for(tenant), operation_id, change)


@router.post("/{operation_id}/undo", status_code=202)
async def undo(request: Request, caller: Writer, operation_id: Id, tenant: Tenant = None) -> dict[str, Any]:
    """Put everything back as it was before the operation; 409 when it has not ended, or cannot be undone."""

    async def change(work: UnitOfWork, operation: Running) -> Running:
        state = states.undo(operation.state, KINDS[operation.operation].undo is not None)
        return await _move(work, operation, state, "undone", caller.name)

    return await _change(request, caller.tenant_for(tenant), operation_id, change)


@router.get("")
async def operations(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    before: Annotated[Time | None, Query(description="with `before_id`")] = None,
    before_id: Text = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> dict[str, Any]:
    """Operations, newest first, with how far they are; `next` holds the parameters of the next page."""
    rows = await request.app.state.service.pool.fetch(
        store.Q["page"], caller.tenant_for(tenant), before, before_id, limit
    )
    last = rows[-1] if len(rows) == limit else None
    following = last and {"before": last["requested_at"], "before_id": last["operation_id"]}
    return {"operations": [_shown(row) | _counted(row) for row in rows], "next": following}


@router.get("/{operation_id}")
async def operation(request: Request, caller: Reader, operation_id: Id, tenant: Tenant = None) -> dict[str, Any]:
    """One operation with its outcomes."""
    async with request.app.state.service.pool.acquire() as connection:
        row = _known(
            await connection.fetchrow(store.Q["stored"], caller.tenant_for(tenant), operation_id), operation_id
        )
        counted = await store.progress(connection, row["no"])
        reasons = await connection.fetch(store.Q["skipped"], row["no"])
    return (
        _shown(row)
        | _counted(dict(counted) | {"state": row["state"], "operation": row["operation"]})
        | {"outcomes": [{"outcome": r["outcome"], "why": r["why"], "rows": r["count"]} for r in reasons]}
    )


@router.get("/{operation_id}/rows")
async def rows(
    request: Request,
    caller: Reader,
    operation_id: Id,
    tenant: Tenant = None,
    outcome: Literal["skipped", "failed"] | None = None,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """A page of the rows that were skipped or failed, each with why; of all others the operation says what they are."""
    async with request.app.state.service.pool.acquire() as connection:
        row = _known(
            await connection.fetchrow(store.Q["stored"], caller.tenant_for(tenant), operation_id), operation_id
        )
        found = await connection.fetch(store.Q["rows"], row["no"], outcome, after, limit)
    following = found[-1]["seq"] if len(found) == limit else None
    shown = [{name: one[name] for name in ("address", "mailing", "outcome", "why")} for one in found]
    return {"rows": shown, "next": following}


@router.get("/{operation_id}/events", response_class=StreamingResponse)
async def events(request: Request, caller: Reader, operation_id: Id, tenant: Tenant = None) -> Response:
    """Server-sent events: `progressed` whenever it is further, `ended` at its end, after which the stream ends too."""
    owner = caller.tenant_for(tenant)
    pool = request.app.state.service.pool
    _known(await pool.fetchrow(store.Q["stored"], owner, operation_id), operation_id)

    async def stream() -> AsyncIterator[str]:
        async for line in watching.watch(pool, owner, operation_id):
            yield line

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


async def _change(request: Request, tenant: str, identity: str, change: Any) -> dict[str, Any]:
    """Change an operation that is in hand; answer with its id and state."""
    try:
        async with request.app.state.service.uow_factory.begin() as work:
            row = _known(await store.hold(work.connection, tenant, identity), identity)
            changed: Running = await change(work, store.running(row))
    except Refused as refused:
        raise refusal(refused) from None
    request.app.state.engine.wake.set()
    return {"id": changed.id, "state": changed.state}


async def _move(work: UnitOfWork, operation: Running, state: OperationState, what: str, by: str) -> Running:
    if state is operation.state:
        return operation
    moved = await store.move(work.connection, operation.no, state, {})
    counted = await store.progress(work.connection, operation.no)
    await work.connection.execute(
        store.Q["add_audit"], operation.tenant, datetime.now(UTC), by, f"{operation.operation.value}_{what}",
        counted["settled"], operation.note, operation.id, json.dumps(operation.chosen),
    )  # fmt: skip
    await tell_progress(work, moved, f"{operation.tenant} {operation.id} {state.value}")
    return moved


def _known(row: store.Row | None, identity: str) -> store.Row:
    if row is None:
        raise HTTPException(404, f"operation: {identity} is not known (yet)")
    return row


def _shown(row: store.Row) -> dict[str, Any]:
    plain = ("operation", "state", "requested_by", "note", "requested_at", "moved_at", "finished_at", "error")
    shown = {name: row[name] for name in plain} | {"id": row["operation_id"]}
    return shown | {name: json.loads(row[name]) for name in ("parameters", "chosen", "result")}


def _counted(row: Any) -> dict[str, Any]:
    kind, state = KINDS[Operation(row["operation"])], OperationState(row["state"])
    return {
        "rows": row["total"],
        "settled": row["settled"],
        "done": row["done"],
        "can_be_cancelled": state in (OperationState.QUEUED, OperationState.RUNNING),
        "can_be_undone": kind.undo is not None and state in states.ENDED and row["done_parts"] > 0,
    }
