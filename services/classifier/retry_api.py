"""HTTP for retries: how they fare, what operators do with them, and each tenant's schedule."""

import json
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from returpost.contracts import Id, Name
from services.classifier import interventions, tenant_schedules
from services.classifier.interventions import Action, Choice
from services.classifier.store import Q
from services.classifier.tenant_schedules import Schedule
from shared.http.auth import OPERATE, Caller, requires

router = APIRouter(prefix="/v1", tags=["retries"])
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Operator = Annotated[Caller, Depends(requires(OPERATE))]
Tenant = Annotated[Name | None, Query()]
State = Literal["waiting", "requested", "healed", "failed", "exhausted", "dropped", "lost"]


class Intervention(BaseModel):
    """What to do with which pending retries; `dry_run` only counts them."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    choice: Choice
    dry_run: bool = False


@router.get("/retries/counts")
async def retry_counts(
    request: Request, caller: Reader, tenant: Tenant = None, mailing: Id | None = None
) -> list[dict[str, Any]]:
    """Recipients that bounced softly, by what became of them, with their soft bounces."""
    rows = await request.app.state.service.pool.fetch(Q["count_retries"], caller.tenant_for(tenant), mailing)
    return [dict(row) for row in rows]


@router.get("/retries")
async def retries(
    request: Request,
    caller: Reader,
    state: State,
    tenant: Tenant = None,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """A page of retries in one state; `next` is what to give as `after` for the page that follows."""
    owner = caller.tenant_for(tenant)
    start = after.bytes if after else None
    found = await request.app.state.service.pool.fetch(Q["list_retries"], owner, state, start, limit + 1)
    rows = [dict(row) | {"recipient": UUID(bytes=row["recipient"])} for row in found[:limit]]
    return {"retries": rows, "next": rows[-1]["recipient"] if len(found) > limit else None}


@router.post("/retries/interventions")
async def intervene(request: Request, caller: Operator, wanted: Intervention, tenant: Tenant = None) -> dict[str, Any]:
    """Drop pending retries, have them be due now, or undo a drop. Says how many it was, or would be."""
    owner, state = caller.tenant_for(tenant), request.app.state
    uow_factory, now = state.service.uow_factory, state.clock()
    if wanted.dry_run:
        number = await interventions.count(uow_factory, owner, wanted.action, wanted.choice, now)
    else:
        number = await interventions.intervene(uow_factory, owner, wanted.action, wanted.choice, caller.name, now)
    return {"action": wanted.action, "retries": number, "dry_run": wanted.dry_run}


@router.get("/retries/interventions")
async def list_interventions(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """What was done with pending retries and by whom, newest first."""
    owner = caller.tenant_for(tenant)
    rows = await request.app.state.service.pool.fetch(Q["list_interventions"], owner, before, limit)
    return [dict(row) | {"selection": json.loads(row["selection"])} for row in rows]


@router.get("/retry-settings")
async def read_settings(request: Request, response: Response, caller: Reader, tenant: Tenant = None) -> dict[str, Any]:
    """The tenant's schedule of retries; `ETag` is the version that a change has to quote."""
    owner, state = caller.tenant_for(tenant), request.app.state
    async with state.service.pool.acquire() as connection:
        schedule, about = await tenant_schedules.read(connection, owner, state.retry_policy)
    response.headers["ETag"] = f'"{about["version"]}"'
    return schedule.model_dump(mode="json") | about


@router.put("/retry-settings")
async def write_settings(
    request: Request,
    response: Response,
    caller: Writer,
    schedule: Schedule,
    if_match: Annotated[str, Header(description="the `ETag` of what was read: a change by somebody else is not lost")],
    tenant: Tenant = None,
) -> dict[str, Any]:
    """Change the tenant's schedule. It decides what bounces from now on; what waits keeps its time."""
    owner, state = caller.tenant_for(tenant), request.app.state
    async with state.service.uow_factory.begin() as work:
        before, about = await tenant_schedules.read(work.connection, owner, state.retry_policy)
        given, now = if_match.strip().removeprefix("W/").strip('"'), state.clock()
        if given != str(about["version"]):
            raise HTTPException(
                412, f"If-Match: the settings are at version {about['version']} by now; read them again"
            )
        version = await tenant_schedules.save(work.connection, owner, schedule, about["version"], caller.name, now)
        if version is None:
            raise HTTPException(412, "If-Match: somebody changed the settings in this moment; read them again")
        for change in tenant_schedules.changes(before, schedule, owner, version, caller.name, now):
            work.emit(change)
    response.headers["ETag"] = f'"{version}"'
    return schedule.model_dump(mode="json") | {"version": version, "changed_at": now, "changed_by": caller.name}
