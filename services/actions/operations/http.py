"""HTTP: operations are previewed, confirmed, watched, cancelled and undone; the audit."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import uuid4

from fastapi import APIRouter, Header, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from returpost.contracts import Id, Note, Operation, OperationState, Text, ids
from services.actions.operations import domain, preview, sse
from services.actions.operations.address_check import AddressCheck, check_address, errors_of
from services.actions.operations.domain import ENDED, Progress, Refused, StoredOperation
from services.actions.operations.events import emit_progress
from services.actions.operations.kinds.correction import Correction
from services.actions.operations.preview import Preview
from services.actions.operations.registry import REGISTRY
from services.actions.operations.repository import operations
from services.actions.operations.repository.audit import AuditEntry, add_audit, page_of_audit
from services.actions.operations.repository.operations import OperationDetail
from services.actions.operations.target import Target
from shared.http.dependencies import Reader, Tenant, Writer
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, decode_id, decode_time, encode_cursor
from shared.http.problems import fields_of, problem
from shared.messaging.unit_of_work import UnitOfWork

router = APIRouter(prefix="/v1/operations", tags=["operations"])
audit_router = APIRouter(prefix="/v1/audit", tags=["operations"])
IdempotencyKey = Annotated[Id | None, Header(description="A request repeated with the same key is the same operation")]
T = TypeVar("T")
Change = Callable[[UnitOfWork, StoredOperation], Awaitable[StoredOperation]]


class OperationBody(BaseModel):
    """A bulk operation over a target."""

    model_config = ConfigDict(extra="forbid")

    operation: Operation
    target: Target
    parameters: dict[str, Any] = Field(default_factory=dict)
    """By operation: `name` of a new list, `list` of a known one, and so on."""
    note: Note = ""


class Confirmation(BaseModel):
    """The preview's token."""

    model_config = ConfigDict(extra="forbid")

    token: Text


class Cancellation(BaseModel):
    """How to cancel."""

    model_config = ConfigDict(extra="forbid")

    keep: bool = False
    """What was done stays; else it is undone, where it can be."""


class CheckedPreview(Preview):
    """A preview; of a correction with what is known of the new address."""

    validation: AddressCheck | None = None


class OperationChanged(BaseModel):
    """The state of an operation after a request."""

    id: str
    state: OperationState


class OperationItem(BaseModel):
    """An operation with how far it is."""

    id: str
    operation: Operation
    state: OperationState
    requested_by: str
    note: str
    requested_at: datetime
    moved_at: datetime
    finished_at: datetime | None
    error: str | None
    parameters: dict[str, Any]
    target: dict[str, Any]
    result: dict[str, Any]
    list_name: str | None
    """Of the selection or project that it is about."""
    old_address: str | None
    """Of a correction that is done: what the address was before."""
    rows: int
    settled: int
    done: int
    can_be_cancelled: bool
    can_be_undone: bool


class OutcomeCount(BaseModel):
    """Rows that were skipped or failed for one reason."""

    outcome: Literal["skipped", "failed"]
    why: str
    rows: int


class OperationWithOutcomes(OperationItem):
    """An operation with why rows were skipped or failed."""

    outcomes: list[OutcomeCount]


class OperationRow(BaseModel):
    """A row that was skipped or failed."""

    address: str
    mailing: str | None
    outcome: Literal["skipped", "failed"]
    why: str


class AuditItem(BaseModel):
    """Who did what to how many."""

    id: int
    time: datetime
    who: str
    what: str
    how_many: int
    note: str
    operation_id: str | None
    target: dict[str, Any]


@router.post("", status_code=201, response_model=CheckedPreview)
async def preview_operation(
    request: Request, caller: Writer, body: OperationBody, tenant: Tenant = None, idempotency_key: IdempotencyKey = None
) -> CheckedPreview | Response:
    """Freeze the target's rows, and show what would happen: how many rows, which are skipped and why, a sample.

    Nothing is done until the preview is confirmed with its token; unconfirmed it is removed after a while.
    """
    owner = caller.tenant_for(tenant)
    try:
        parameters = REGISTRY[body.operation].parameters.model_validate(body.parameters)
    except ValidationError as error:
        faults: list[dict[str, Any]] = [
            fault | {"field": f"body.parameters.{fault['field']}"} for fault in fields_of(error)
        ]
        return problem(422, "the request is not valid", errors=faults)
    validation: AddressCheck | None = None
    if isinstance(parameters, Correction):
        authorization, wanted = request.headers["Authorization"], parameters.checked()
        checks = [await check_address(request.app.state.ingest, authorization, one) for one in wanted]
        validation = checks[0]
        if not parameters.anyway and (errors := [error for check in checks for error in errors_of(check)]):
            title = "the new address does not accept mail; `anyway` corrects to it all the same"
            return problem(422, title, errors=errors)
    requested = preview.OperationRequest(
        id=ids.of_content(owner, "operation", idempotency_key) if idempotency_key else str(uuid4()),
        tenant=owner,
        operation=body.operation,
        target=body.target,
        parameters=parameters,
        by=caller.name,
        note=body.note,
        time=datetime.now(UTC),
    )
    try:
        async with request.app.state.service.uow_factory.begin() as work:
            found = await preview.preview(work, await preview.freeze(work, requested))
    except Refused as refused:
        raise HTTPException(422, str(refused)) from None
    return CheckedPreview(**found.model_dump(), validation=validation)


@router.post("/{operation_id}/confirm", status_code=202)
async def confirm(
    request: Request, caller: Writer, operation_id: Id, body: Confirmation, tenant: Tenant = None
) -> OperationChanged:
    """Do what was previewed, once; 409 when the rows are no longer those of the preview."""
    grace = request.app.state.service.settings.delete_grace

    async def change(work: UnitOfWork, operation: StoredOperation) -> StoredOperation:
        return await preview.confirm(work, operation, body.token, caller.name, datetime.now(UTC), grace)

    return await _change(request, caller.tenant_for(tenant), operation_id, change)


@router.post("/{operation_id}/cancel", status_code=202)
async def cancel(
    request: Request, caller: Writer, operation_id: Id, body: Cancellation | None = None, tenant: Tenant = None
) -> OperationChanged:
    """Stop an operation, and undo what it did so far where that can be, unless it is to be kept."""

    async def change(work: UnitOfWork, operation: StoredOperation) -> StoredOperation:
        state = domain.cancel(operation.state)
        if state is OperationState.CANCELLING:
            await operations.set_keep(work.connection, operation.no, bool(body and body.keep))
        return await _set_state(work, operation, state, "cancelled", caller.name)

    return await _change(request, caller.tenant_for(tenant), operation_id, change)


@router.post("/{operation_id}/undo", status_code=202)
async def undo(request: Request, caller: Writer, operation_id: Id, tenant: Tenant = None) -> OperationChanged:
    """Restore everything as it was before the operation; 409 when it has not ended, or cannot be undone."""

    async def change(work: UnitOfWork, operation: StoredOperation) -> StoredOperation:
        state = domain.undo(operation.state, REGISTRY[operation.operation].undo is not None)
        return await _set_state(work, operation, state, "undone", caller.name)

    return await _change(request, caller.tenant_for(tenant), operation_id, change)


@router.get("")
async def page_of_operations(
    request: Request, caller: Reader, tenant: Tenant = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[OperationItem]:
    """A page of operations, newest first, with how far they are."""
    before = None
    if cursor is not None:
        requested_at, identity = decode_cursor(cursor, str, str)
        before = (decode_time(requested_at), str(identity))
    pool = request.app.state.service.pool
    found = await operations.page_of_operations(pool, caller.tenant_for(tenant), before, limit)
    last = found[-1][0].operation if len(found) == limit else None
    return Page[OperationItem](
        items=[OperationItem(**_shown(*one)) for one in found],
        next_cursor=last and encode_cursor(last.time.isoformat(), last.id),
    )


@router.get("/{operation_id}")
async def operation(request: Request, caller: Reader, operation_id: Id, tenant: Tenant = None) -> OperationWithOutcomes:
    """One operation with its outcomes."""
    async with request.app.state.service.pool.acquire() as connection:
        found = _known(await operations.find(connection, caller.tenant_for(tenant), operation_id), operation_id)
        counted = await operations.progress(connection, found.operation.no)
        outcomes = await operations.reasons(connection, found.operation.no)
    return OperationWithOutcomes(**_shown(found, counted), outcomes=[OutcomeCount(**one) for one in outcomes])


@router.get("/{operation_id}/rows")
async def rows(
    request: Request,
    caller: Reader,
    operation_id: Id,
    tenant: Tenant = None,
    outcome: Literal["skipped", "failed"] | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[OperationRow]:
    """A page of the rows that were skipped or failed, each with why; what became of the others is the operation's."""
    after = decode_id(cursor)
    async with request.app.state.service.pool.acquire() as connection:
        found = _known(await operations.find(connection, caller.tenant_for(tenant), operation_id), operation_id)
        items = await operations.page_of_rows(connection, found.operation.no, outcome, after, limit)
    last = encode_cursor(items[-1]["seq"]) if len(items) == limit else None
    return Page[OperationRow].model_validate({"items": items, "next_cursor": last})


@router.get("/{operation_id}/events", response_class=StreamingResponse)
async def events(request: Request, caller: Reader, operation_id: Id, tenant: Tenant = None) -> Response:
    """Server-sent events: `progressed` whenever it has, `ended` at its end, after which the stream ends too."""
    owner = caller.tenant_for(tenant)
    pool = request.app.state.service.pool
    _known(await operations.find(pool, owner, operation_id), operation_id)

    async def stream() -> AsyncIterator[str]:
        async for line in sse.progress_events(pool, owner, operation_id):
            yield line

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


@audit_router.get("")
async def audit(
    request: Request, caller: Reader, tenant: Tenant = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[AuditItem]:
    """A page of the audit, newest first: who did what to how many."""
    before = decode_id(cursor)
    items = await page_of_audit(request.app.state.service.pool, caller.tenant_for(tenant), before, limit)
    last = encode_cursor(items[-1]["id"]) if len(items) == limit else None
    return Page[AuditItem].model_validate({"items": items, "next_cursor": last})


async def _change(request: Request, tenant: str, identity: str, change: Change) -> OperationChanged:
    """Change an operation that is locked; answer with its id and state."""
    try:
        async with request.app.state.service.uow_factory.begin() as work:
            changed = await change(work, _known(await operations.lock(work.connection, tenant, identity), identity))
    except Refused as refused:
        raise HTTPException(409, str(refused)) from None
    request.app.state.engine.wake.set()
    return OperationChanged(id=changed.id, state=changed.state)


async def _set_state(
    work: UnitOfWork, operation: StoredOperation, state: OperationState, what: str, by: str
) -> StoredOperation:
    if state is operation.state:
        return operation
    changed = await operations.set_state(work.connection, operation.no, state, {})
    counted = await operations.progress(work.connection, operation.no)
    entry = AuditEntry(
        operation.tenant, datetime.now(UTC), by, f"{operation.operation.value}_{what}", counted.settled, operation.note,
        operation.id, operation.target,
    )  # fmt: skip
    await add_audit(work.connection, entry)
    await emit_progress(work, changed, f"{operation.tenant} {operation.id} {state.value}")
    return changed


def _known(found: T | None, identity: str) -> T:
    if found is None:
        raise HTTPException(404, f"operation: {identity} is not known (yet)")
    return found


def _shown(found: OperationDetail, counted: Progress) -> dict[str, Any]:
    stored = found.operation
    can_be_undone = REGISTRY[stored.operation].undo is not None and stored.state in ENDED and counted.done_parts > 0
    return {
        "id": stored.id, "operation": stored.operation, "state": stored.state, "requested_by": stored.by,
        "note": stored.note, "requested_at": stored.time, "moved_at": found.moved_at, "finished_at": found.finished_at,
        "error": found.error, "parameters": stored.parameters, "target": stored.target, "result": stored.result,
        "list_name": found.list_name, "old_address": found.old_address,
        "rows": counted.total, "settled": counted.settled, "done": counted.done,
        "can_be_cancelled": stored.state in (OperationState.QUEUED, OperationState.RUNNING),
        "can_be_undone": can_be_undone,
    }  # fmt: skip
