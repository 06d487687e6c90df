"""Storms: what suddenly made most bounces, and what is to become of what it blocked."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

from returpost.contracts import Text
from returpost.contracts.enums import StormKind
from services.blocklist.jobs.http import JobOut, finished
from services.blocklist.storms import detection, repository
from services.blocklist.storms.domain import StormState
from shared.http.dependencies import Reader, Tenant, Writer
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

router = APIRouter(prefix="/storms")


class StormOut(BaseModel):
    """One storm."""

    id: UUID
    kind: StormKind
    value: str
    begun: datetime
    suspended_from: Annotated[datetime, Field(description="Since when its bounces do not count")]
    ended: datetime | None
    bounces: Annotated[int, Field(description="Of the storm, when it was detected")]
    of_bounces: Annotated[int, Field(description="Of the tenant, at the same time")]
    state: StormState
    judged_at: datetime | None
    judged_by: str | None
    note: str


class StormDetail(StormOut):
    """One storm, and how many addresses are blocked since it began that it may have blocked."""

    blocked: int


class Judgement(BaseModel, extra="forbid"):
    """What is to be done with the bounces of a storm: `lifted` frees all that it blocked since its begin, `held` keeps
    them from counting since it was detected, `counted` counts them all."""

    state: StormState
    note: Annotated[Text, Field(max_length=1_000)] = ""


@router.get("")
async def list_storms(
    request: Request, caller: Reader, cursor: Cursor = None, limit: Limit = 100, tenant: Tenant = None
) -> Page[StormOut]:
    """The storms of a tenant, newest first."""
    before = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await repository.newest(
        request.app.state.service.pool, caller.tenant_for(tenant), (before[0], before[1]), limit
    )
    return Page(items=[StormOut(**row) for row in rows], next_cursor=next_cursor(rows, limit, "begun", "id"))


@router.get("/{id}")
async def get_storm(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> StormDetail:
    """One storm, and how many addresses are blocked since it began that it may have blocked."""
    row = await repository.get(request.app.state.service.pool, caller.tenant_for(tenant), id)
    if row is None:
        raise HTTPException(404, "storm: there is none with this id")
    return StormDetail(**row)


@router.post("/{id}", status_code=202)
async def judge(request: Request, caller: Writer, id: UUID, judgement: Judgement, tenant: Tenant = None) -> JobOut:
    """Lift what a storm blocked, or undo that; answers with the job that does it."""
    owner, state = caller.tenant_for(tenant), request.app.state
    async with state.service.uow_factory.begin() as work:
        job = await detection.judge(work, owner, id, judgement.state, caller.name, judgement.note, state.clock())
    if job is None:
        raise HTTPException(404, "storm: there is none with this id")
    state.job_requested.set()
    return await finished(request, owner, job)
