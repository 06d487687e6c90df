"""Imports of suppression lists, with their reports, and their undo."""

import json
import zlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Record
from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from returpost.contracts import Note, ids
from services.blocklist.jobs import repository as jobs
from services.blocklist.jobs.domain import JobKind, JobParameters, JobRequest
from services.blocklist.jobs.http import JobOut, finished
from services.blocklist.suppression_files import repository
from services.blocklist.suppression_files.entry import Kind
from services.blocklist.suppression_files.repository import Action, ImportRequest, ImportState
from services.blocklist.suppression_files.upload import receive
from shared.database.pool import Pool
from shared.http.dependencies import Reader, Tenant, Writer
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

NDJSON = "application/x-ndjson"

router = APIRouter(prefix="/blocks/imports")
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


class ImportOut(BaseModel):
    """One import: how far it is, and what became of its rows."""

    id: UUID
    action: Action
    dry_run: bool
    state: ImportState
    by: str
    note: str
    begun_at: datetime
    received_at: datetime | None
    finished_at: datetime | None
    total: Annotated[int, Field(description="Rows")]
    done: int
    outcomes: Annotated[dict[str, int], Field(description="Rows by what became of them")]


class ReportLine(BaseModel):
    """What became of one row."""

    row: Annotated[int, Field(description="Counted from 1, without a heading")]
    outcome: str
    problem: str | None = None


@router.post("", status_code=202)
async def begin_import(
    request: Request,
    response: Response,
    caller: Writer,
    tenant: Tenant = None,
    action: Action = Action.BLOCK,
    kind: Kind = Kind.BOUNCE,
    dry_run: bool = False,
    note: Annotated[Note, Query(max_length=200)] = "",
    idempotency_key: IdempotencyKey = None,
) -> ImportOut:
    """Hand in a list of any length as the body: CSV, JSON lines, or what SES, SendGrid, Mailgun or Postmark give out.

    Nothing happens until the whole list is here; then it is applied in the background, also after a crash. A dry run
    tells what would happen. `kind` is what the rows are where they do not say. With the Idempotency-Key of an import
    that is already here, that one is answered.
    """
    owner, state = caller.tenant_for(tenant), request.app.state
    pool: Pool = state.service.pool
    if idempotency_key is not None:
        known = await repository.find(pool, owner, idempotency_key)
        if known is not None and known["state"] != ImportState.UPLOADING:
            return await _found(pool, owner, known["id"])
        if known is not None:  # its caller is gone, or never was heard to the end
            await repository.discard(pool, known["id"])
    wanted = ImportRequest(owner, action, kind, dry_run, caller.name, note, idempotency_key)
    identity = await receive(pool, wanted, request.stream(), state.clock())
    state.list_received.set()
    response.headers["Location"] = f"/v1/blocks/imports/{identity}"
    return await _found(pool, owner, identity)


@router.get("")
async def list_imports(
    request: Request, caller: Reader, tenant: Tenant = None, cursor: Cursor = None, limit: Limit = 100
) -> Page[ImportOut]:
    """The imports, newest first."""
    before = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await repository.newest(
        request.app.state.service.pool, caller.tenant_for(tenant), (before[0], before[1]), limit
    )
    return Page(items=[_import_out(row) for row in rows], next_cursor=next_cursor(rows, limit, "begun_at", "id"))


@router.get("/{identity}")
async def get_import(request: Request, caller: Reader, identity: UUID, tenant: Tenant = None) -> ImportOut:
    """How far an import is, and what became of its rows by outcome."""
    return await _found(request.app.state.service.pool, caller.tenant_for(tenant), identity)


@router.get(
    "/{identity}/report",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {"schema": ReportLine.model_json_schema()}}}},
)
async def import_report(
    request: Request, caller: Reader, identity: UUID, tenant: Tenant = None, outcome: str | None = None
) -> StreamingResponse:
    """What became of each row, a line of JSON each: its number, the outcome, and the problem if it has one.

    No addresses: whoever handed in the list has them.
    """
    pool: Pool = request.app.state.service.pool
    await _found(pool, caller.tenant_for(tenant), identity)
    return StreamingResponse(_report(pool, identity, outcome), media_type=NDJSON)


@router.post("/{identity}/undo", status_code=202)
async def undo_import(request: Request, caller: Writer, identity: UUID, tenant: Tenant = None) -> JobOut:
    """Undo what an import did, as a job: its blocks, its clears and what it added to histories.

    An address of which somebody has said something since stays as it is.
    """
    owner, pool, now = caller.tenant_for(tenant), request.app.state.service.pool, request.app.state.clock()
    done = await _found(pool, owner, identity)
    if done.dry_run or done.state is not ImportState.FINISHED:
        raise HTTPException(409, "import: has changed nothing, or is not finished")
    job = ids.of_content("undo of import", str(identity))
    parameters = JobParameters(import_=identity, received_at=done.received_at)
    note = f"undo of import {identity}"
    await jobs.add(pool, JobRequest(job, owner, JobKind.IMPORT_UNDO, parameters, caller.name, note, now))
    request.app.state.job_requested.set()
    return await finished(request, owner, UUID(job))


async def _report(pool: Pool, identity: UUID, outcome: str | None) -> AsyncIterator[str]:
    n = -1
    while part := await repository.next_report(pool, identity, n):
        n, report = part
        text = zlib.decompress(report).decode()
        if outcome is None:
            yield text
        else:
            yield "".join(line for line in text.splitlines(keepends=True) if json.loads(line)["outcome"] == outcome)


async def _found(pool: Pool, tenant: str, identity: UUID) -> ImportOut:
    row = await repository.get(pool, tenant, identity)
    if row is None:
        raise HTTPException(404, "there is no such import")
    return _import_out(row)


def _import_out(row: Record) -> ImportOut:
    return ImportOut(**{**row, "outcomes": json.loads(row["outcomes"])})
