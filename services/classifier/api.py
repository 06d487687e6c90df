"""HTTP: what the verdicts were, and which texts no rule knows."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from returpost.contracts import Id, Name, Time
from services.classifier.store import Q
from shared.http.auth import Caller, requires

router = APIRouter(prefix="/v1", tags=["classifier"])
Reader = Annotated[Caller, Depends(requires("read"))]
Tenant = Annotated[Name | None, Query()]
LAST_DAYS = timedelta(days=30)


@router.get("/verdicts/counts")
async def verdict_counts(
    request: Request, caller: Reader, tenant: Tenant = None, mailing: Id | None = None
) -> list[dict[str, Any]]:
    """Verdicts by type and reason, most first."""
    rows = await request.app.state.service.pool.fetch(Q["count_verdicts"], caller.tenant_for(tenant), mailing)
    return [dict(row) for row in rows]


@router.get("/unknown")
async def unknown(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    since: Time | None = None,
    only_undetermined: Annotated[bool, Query(description="leave out what a code alone decided")] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """What no rule knows, with addresses, hosts and numbers taken out, most first: where a rule would help most."""
    owner = caller.tenant_for(tenant)
    start: datetime = since or request.app.state.clock() - LAST_DAYS
    rows = await request.app.state.service.pool.fetch(Q["list_unknown"], owner, start, only_undetermined, limit)
    return [dict(row) | {"template": row["template"].hex()} for row in rows]
