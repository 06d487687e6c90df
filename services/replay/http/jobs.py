"""HTTP: jobs, which are also the audit of what operators did."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, Json, JsonValue

from services.replay.http.cursors import decode_time_and_id
from services.replay.repository import jobs
from services.replay.repository.jobs import Job
from shared.database.pool import Pool
from shared.http.dependencies import Database, Operator
from shared.http.pagination import Cursor, Page, encode_cursor

router = APIRouter(prefix="/v1", tags=["jobs"])


class JobDetails(BaseModel):
    """A job, who started it, and how far it is."""

    id: UUID
    kind: str
    selection: Json[dict[str, JsonValue]]
    requested_by: str
    requested_at: datetime
    rate: int
    state: str
    total: int
    done: int
    next_offset: int | None
    error: str | None
    missing: list[str]
    """Queues that dead letters came from and that no longer exist."""
    begun_at: datetime
    ended_at: datetime | None


@router.get("/jobs")
async def list_jobs(
    pool: Database, _: Operator, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Page[JobDetails]:
    """List what operators did, newest first."""
    rows = await jobs.list_page(pool, decode_time_and_id(cursor), limit + 1)
    items = [_details(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items=items)
    return Page(items=items, next_cursor=encode_cursor(items[-1].requested_at.isoformat(), str(items[-1].id)))


@router.get("/jobs/{identity}")
async def show_job(pool: Database, _: Operator, identity: UUID) -> JobDetails:
    """Return one job and how far it is."""
    return _details(await _get(pool, identity))


@router.post("/jobs/{identity}/stop", status_code=204)
async def stop(pool: Database, _: Operator, identity: UUID) -> None:
    """Stop a job where it is; one that has ended stays as it ended."""
    await _get(pool, identity)
    await jobs.end(pool, identity, "stopped")


def _details(job: Job) -> JobDetails:
    return JobDetails.model_validate(asdict(job))


async def _get(pool: Pool, identity: UUID) -> Job:
    found = await jobs.get(pool, identity)
    if found is None:
        raise HTTPException(404, f"job {identity} not found")
    return found
