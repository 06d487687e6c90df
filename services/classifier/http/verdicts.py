"""HTTP: verdicts by reason, and the texts that no rule knows."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request

from returpost.contracts import Id, Time
from services.classifier.repository import verdicts
from services.classifier.repository.verdicts import UnknownText, VerdictCount
from shared.http.dependencies import Database, Reader, Tenant
from shared.http.pagination import Page

router = APIRouter(prefix="/v1", tags=["classifier"])
DEFAULT_PERIOD = timedelta(days=30)


@router.get("/verdicts/counts")
async def verdict_counts(
    pool: Database, caller: Reader, tenant: Tenant = None, mailing: Id | None = None
) -> Page[VerdictCount]:
    """Count verdicts by type and reason, most frequent first."""
    return Page(items=await verdicts.count_by_reason(pool, caller.tenant_for(tenant), mailing))


@router.get("/unknown-texts")
async def unknown_texts(
    request: Request,
    pool: Database,
    caller: Reader,
    tenant: Tenant = None,
    since: Time | None = None,
    only_undetermined: Annotated[bool, Query(description="leave out what a reply code alone decided")] = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[UnknownText]:
    """List texts that no rule knows, without addresses, hosts and numbers, most frequent first."""
    start = since or request.app.state.clock() - DEFAULT_PERIOD
    owner = caller.tenant_for(tenant)
    return Page(items=await verdicts.list_unknown_texts(pool, owner, start, only_undetermined, limit))
