"""What is done in the background for a tenant, and how far it is."""

import asyncio
import json
from datetime import datetime
from typing import Annotated
from uuid import UUID

from asyncpg import Record
from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field

from services.blocklist.jobs import repository
from services.blocklist.jobs.domain import JobKind, JobParameters, JobState
from services.blocklist.tenant_settings.settings_preview import SettingsPreview, summary
from shared.database.pool import Connection, Pool
from shared.http.dependencies import Reader, Tenant
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

PATIENCE_SECONDS = 2.0
"""How long an answer waits for a job that may be done at once."""

router = APIRouter(prefix="/jobs")


class JobOut(BaseModel):
    """One background job: state, progress, what it came to."""

    id: UUID
    kind: JobKind
    state: JobState
    parameters: JobParameters
    by: str
    note: str
    requested_at: datetime
    finished_at: datetime | None
    total: Annotated[int | None, Field(description="Addresses; none until they are counted")]
    done: int
    blocked: Annotated[int, Field(description="Addresses that it blocked")]
    freed: Annotated[int, Field(description="Addresses that it freed")]
    result: Annotated[SettingsPreview | None, Field(description="Of a settings preview")]


@router.get("")
async def list_jobs(
    request: Request,
    caller: Reader,
    kind: Annotated[JobKind | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    tenant: Tenant = None,
) -> Page[JobOut]:
    """The jobs of a tenant, newest first."""
    before = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    pool: Pool = request.app.state.service.pool
    rows = await repository.newest(pool, caller.tenant_for(tenant), kind, (before[0], before[1]), limit)
    return Page(items=[job_out(row) for row in rows], next_cursor=next_cursor(rows, limit, "requested_at", "id"))


@router.get("/{id}")
async def get_job(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> JobOut:
    """One job: state, progress, what it came to."""
    return job_out(await _found(request.app.state.service.pool, caller.tenant_for(tenant), id))


async def finished(request: Request, tenant: str, id_: UUID) -> JobOut:
    """Return the job when it is finished, or as it is when that takes long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while True:
        row = await _found(request.app.state.service.pool, tenant, id_)
        if row["finished_at"] or loop.time() > deadline:
            return job_out(row)
        await asyncio.sleep(0.02)


async def last_job(connection: Connection, tenant: str, kind: JobKind) -> JobOut | None:
    """Return the newest job of a kind."""
    rows = await repository.newest(connection, tenant, kind, (None, None), 1)
    return job_out(rows[0]) if rows else None


def job_out(row: Record) -> JobOut:
    """Return a job as the API shows it."""
    is_preview = row["kind"] == JobKind.SETTINGS_PREVIEW
    result = summary(json.loads(row["result"])) if is_preview else None
    parameters = JobParameters.model_validate_json(row["parameters"])
    return JobOut(**{**row, "parameters": parameters, "result": result})


async def _found(pool: Pool, tenant: str, id_: UUID) -> Record:
    row = await repository.get(pool, tenant, id_)
    if row is None:
        raise HTTPException(404, "job: there is none with this id")
    return row
