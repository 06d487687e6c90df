"""From a request to a frozen set of rows with its preview, and from the preview's token to a queued operation."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from returpost.contracts import Operation, OperationState
from returpost.errors import ReturpostError
from services.actions.mailings.repository.erasures import lock_out_erasures
from services.actions.operations import domain
from services.actions.operations.domain import Refused, StoredOperation
from services.actions.operations.kinds.operation_kind import OperationKind, Parameters
from services.actions.operations.registry import REGISTRY
from services.actions.operations.repository import operations
from services.actions.operations.repository.audit import AuditEntry, add_audit
from services.actions.operations.repository.operations import NewOperation
from services.actions.operations.repository.protected import ERASED
from services.actions.operations.target import Target, source
from shared.messaging.unit_of_work import UnitOfWork

SAMPLE_ROWS = 10


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """A request for an operation."""

    id: str
    tenant: str
    operation: Operation
    target: Target
    parameters: Parameters
    by: str
    note: str
    time: datetime

    @property
    def kind(self) -> OperationKind:
        return REGISTRY[self.operation]

    def digest(self) -> str:
        """Return what requests for the same have in common."""
        parts = (self.operation, self.target.model_dump_json(), self.parameters.model_dump_json(), self.note)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


class SkippedRows(BaseModel):
    """Rows that are skipped for one reason."""

    why: str
    rows: int


class SampleRow(BaseModel):
    """One row of the target, and whether it is skipped."""

    address: str
    mailing: str | None
    contact: str | None
    name: str | None
    company: str | None
    reason: str | None
    blocked: bool
    cause: str | None
    skipped: str | None
    """Why."""


class Preview(BaseModel):
    """What an operation would do; confirmed with `token` it is done."""

    id: str
    operation: Operation
    state: OperationState
    parameters: dict[str, Any]
    target: dict[str, Any]
    rows: int
    to_do: int
    skipped: list[SkippedRows]
    sample: list[SampleRow]
    can_be_undone: bool
    token: str


class Conflict(Refused):
    """What is confirmed is not what was previewed."""


async def freeze(work: UnitOfWork, request: OperationRequest) -> StoredOperation:
    """Store the operation and its rows, unless it is stored already. Raises `Refused` for parameters that cannot be."""
    kind, connection = request.kind, work.connection
    if kind.needs_note(request.parameters) and not request.note.strip():
        raise Refused("note: say why those are included who asked not to be mailed")
    if kind.check is not None:
        await kind.check(work, request.tenant, request.parameters)
    new = NewOperation(
        tenant=request.tenant,
        id=request.id,
        operation=request.operation,
        mailing=request.target.mailing(),
        by=request.by,
        note=request.note,
        time=request.time,
        parameters=request.parameters.model_dump(mode="json"),
        target=request.target.without_addresses(),
        digest=request.digest(),
    )
    if (no := await operations.add_operation(connection, new)) is not None:
        await lock_out_erasures(connection)
        rows = source(request.target, request.tenant, recipients=kind.over_recipients)
        skip = kind.skip_for(request.parameters)
        if request.target.names_rows and not kind.takes_erased:
            skip = f"coalesce({ERASED}, {skip})"
        await operations.freeze_rows(connection, request.tenant, no, rows, skip, kind.part_rows)
        most = kind.max_rows(request.parameters)
        if most is not None and (await operations.progress(connection, no)).total > most:
            raise Refused(f"target: this operation is over {most} address, not several")
    stored = await operations.find(connection, request.tenant, request.id)
    if stored is None:
        raise ReturpostError(f"operation {request.id} was not stored")
    if stored.digest != request.digest():
        raise Conflict("Idempotency-Key: it was used before, for another request")
    return stored.operation


async def token_of(work: UnitOfWork, operation: StoredOperation) -> str:
    """Return the digest of an operation and of its rows as they are now."""
    parts = (
        operation.id,
        operation.operation,
        json.dumps(operation.parameters, sort_keys=True),
        json.dumps(operation.target, sort_keys=True),
        *await operations.rows_digest(work.connection, operation.no),
    )
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


async def preview(work: UnitOfWork, operation: StoredOperation) -> Preview:
    """Return how many rows there are, how many of them are skipped and why, and some of each."""
    counted = await operations.progress(work.connection, operation.no)
    skipped = await operations.reasons(work.connection, operation.no)
    sample = await operations.sample(work.connection, operation.no, operation.tenant, SAMPLE_ROWS)
    return Preview.model_validate(
        {
            "id": operation.id,
            "operation": operation.operation,
            "state": operation.state,
            "parameters": operation.parameters,
            "target": operation.target,
            "rows": counted.total,
            "to_do": counted.total - sum(row["rows"] for row in skipped),
            "skipped": skipped,
            "sample": [row | {"skipped": row["why"]} for row in sample],
            "can_be_undone": REGISTRY[operation.operation].undo is not None,
            "token": await token_of(work, operation),
        }
    )


async def confirm(
    work: UnitOfWork, operation: StoredOperation, token: str, by: str, time: datetime, grace: timedelta
) -> StoredOperation:
    """Queue what was previewed, once. Raises `Conflict` when it is no longer that."""
    if not domain.confirm(operation.state):
        return operation
    if token != await token_of(work, operation):
        raise Conflict("token: this is not what was previewed, or the rows have changed since; preview again")
    return await queue(work, operation, by, time, grace)


async def queue(
    work: UnitOfWork, operation: StoredOperation, by: str, time: datetime, grace: timedelta
) -> StoredOperation:
    """Queue a previewed operation, to begin now or (a deletion) after the grace, and add it to the audit."""
    due = time + (grace if operation.operation is Operation.DELETE_ADDRESSES else timedelta())
    queued = await operations.queue(work.connection, operation.no, by, time, due)
    counted = await operations.progress(work.connection, operation.no)
    entry = AuditEntry(
        operation.tenant, time, by, operation.operation.value, counted.total, operation.note, operation.id,
        operation.target,
    )  # fmt: skip
    await add_audit(work.connection, entry)
    return queued
