"""HTTP: jobs, and how far they are; pause, resume, stop."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Json, JsonValue

from returpost.contracts import Title
from services.replay.http.cursors import decode_time_and_id
from services.replay.http.dependencies import Asking, Asks, Why
from services.replay.repository import audit, jobs
from services.replay.repository.jobs import Job
from services.replay.runner.parked import unpark
from shared.database.pool import Pool
from shared.http.dependencies import Database, Operator
from shared.http.pagination import Cursor, Page, encode_cursor

router = APIRouter(prefix="/v1", tags=["jobs"])


class JobDetails(BaseModel):
    """A job, who started it and why, how far it is, and what came of it."""

    id: UUID
    kind: str
    selection: Json[dict[str, JsonValue]]
    requested_by: str
    requested_at: datetime
    tenant: str | None
    """Of the operator; null: of all tenants."""
    why: str
    rate: int
    canary: int
    slow_start: bool
    stop_after: int | None
    into_queue: str | None
    state: Literal["running", "waiting", "paused", "stopped", "finished", "failed"]
    """waiting: all is sent, and some of it not yet heard of."""
    total: int
    done: int
    """Confirmed by RabbitMQ, or discarded or restored."""
    pending: int
    """Sent, and not yet heard of."""
    processed: int
    """Their effects are committed, as the consumers say."""
    failed: int
    """Failed again: the new dead letters are linked to these."""
    skipped: int
    """In another state by then, or their queue is gone."""
    next_offset: int | None
    error: str | None
    missing: list[str]
    """Queues that dead letters came from and that no longer exist."""
    begun_at: datetime
    ended_at: datetime | None


class Unparked(BaseModel):
    """How many were sent to be kept again."""

    dead_letters: int


@router.get("/jobs")
async def list_jobs(
    pool: Database, asking: Asks, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Page[JobDetails]:
    """List what operators did, newest first."""
    rows = await jobs.list_page(pool, decode_time_and_id(cursor), limit + 1, _owner(asking))
    items = [_details(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items=items)
    return Page(items=items, next_cursor=encode_cursor(items[-1].requested_at.isoformat(), str(items[-1].id)))


@router.get("/jobs/{identity}")
async def show_job(pool: Database, asking: Asks, identity: UUID) -> JobDetails:
    """Return one job and how far it is."""
    return _details(await _get(pool, asking, identity))


@router.post("/jobs/{identity}/stop", status_code=204)
async def stop(pool: Database, asking: Asks, identity: UUID, why: Title = "") -> None:
    """Stop a job where it is; one that has ended stays as it ended. What is not sent stays dead."""
    await _get(pool, asking, identity)
    await jobs.end(pool, identity, "stopped")
    await asking.audit(pool, "stop", f"job {identity}", why)


@router.post("/jobs/{identity}/pause", status_code=204)
async def pause(pool: Database, asking: Asks, identity: UUID, why: Title = "") -> None:
    """Pause a running job; what is sent already is still heard of."""
    await _get(pool, asking, identity)
    await jobs.pause(pool, identity)
    await asking.audit(pool, "pause", f"job {identity}", why)


@router.post("/jobs/{identity}/resume", status_code=204)
async def resume(pool: Database, asking: Asks, identity: UUID, why: Title = "") -> None:
    """Let a paused job go on, slowly at first; as many more may fail again as when it began."""
    await _get(pool, asking, identity)
    await jobs.resume(pool, identity)
    await asking.audit(pool, "resume", f"job {identity}", why)


@router.post("/parked/retry")
async def retry_parked(request: Request, pool: Database, caller: Operator, why: Why) -> Unparked:
    """Try again to keep up to 1,000 dead letters that could not be kept; what still cannot be is parked again."""
    service = request.app.state.service
    count = await unpark(await service.broker.consuming.connection(), service.publisher)
    await audit.insert(pool, "unpark", f"{count} dead letters", who=caller.name, tenant=None, why=why, details={})
    return Unparked(dead_letters=count)


def _owner(asking: Asking) -> str | None:
    return None if asking.of_all else asking.tenant


def _details(job: Job) -> JobDetails:
    return JobDetails.model_validate({name: value for name, value in asdict(job).items() if name in _SHOWN})


_SHOWN = set(JobDetails.model_fields)


async def _get(pool: Pool, asking: Asking, identity: UUID) -> Job:
    found = await jobs.get(pool, identity, _owner(asking))
    if found is None:
        raise HTTPException(404, f"job {identity} not found")
    return found
