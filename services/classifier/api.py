"""HTTP: what the verdicts were, and how the retries fare."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request

from services.classifier.store import Q
from shared.contracts import Id, Name
from shared.security import Caller, requires

router = APIRouter(prefix="/v1", tags=["classifier"])
Reader = Annotated[Caller, Depends(requires("read"))]
Tenant = Annotated[Name | None, Query()]
State = Literal["waiting", "requested", "healed", "failed", "exhausted", "dropped", "lost"]


@router.get("/verdicts/counts")
async def verdict_counts(
    request: Request, caller: Reader, tenant: Tenant = None, mailing: Id | None = None
) -> list[dict[str, Any]]:
    """Verdicts by type and reason, most first."""
    rows = await request.app.state.service.pool.fetch(Q["count_verdicts"], caller.tenant_for(tenant), mailing)
    return [dict(row) for row in rows]


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
