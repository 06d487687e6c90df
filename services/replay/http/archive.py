"""HTTP: replay events of the archive into a queue."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.replay.domain.selection import ArchiveSelection
from services.replay.repository import jobs
from services.replay.repository.jobs import JobRequest
from services.replay.runner.archive import ArchiveCount, count_archive
from shared.http.dependencies import Database, Operator

COUNT_TIME = timedelta(seconds=20)
"""How long a plan counts before it answers with what it has."""

router = APIRouter(prefix="/v1", tags=["archive"])


class ArchiveJobRequest(BaseModel):
    """A part of the archive, and how fast to go."""

    model_config = ConfigDict(extra="forbid")

    selection: ArchiveSelection
    rate: int = Field(default=0, ge=0, le=100_000, description="events per second; 0: no limit")


class ArchiveJobStarted(BaseModel):
    """The job that was started."""

    job: UUID


@router.post("/archive/plan")
async def plan(request: Request, _: Operator, wanted: ArchiveJobRequest) -> ArchiveCount:
    """Count what a replay would send; `complete` is false when counting took too long and there is more."""
    connection = await request.app.state.service.broker.consuming.connection()
    return await count_archive(connection, wanted.selection, COUNT_TIME)


@router.post("/archive/replay", status_code=202)
async def replay(
    pool: Database, caller: Operator, wanted: ArchiveJobRequest, expected: Annotated[int, Query(ge=0, le=10**12)] = 0
) -> ArchiveJobStarted:
    """Start a job that sends events of the archive to a queue; `expected` is what the plan counted."""
    async with pool.acquire() as connection:
        job = JobRequest(
            id=uuid4(), kind="archive", selection=wanted.selection, by=caller.name, total=expected, rate=wanted.rate
        )
        await jobs.insert(connection, job)
    return ArchiveJobStarted(job=job.id)
