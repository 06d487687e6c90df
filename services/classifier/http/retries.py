"""HTTP: retries by state."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from returpost.contracts import Id
from services.classifier.repository import retries
from services.classifier.repository.retries import RetryCount, RetryRow
from shared.http.dependencies import Database, Reader, Tenant
from shared.http.pagination import Cursor, Page, decode_key, encode_cursor

router = APIRouter(prefix="/v1", tags=["retries"])
State = Literal["waiting", "requested", "recovered", "failed", "exhausted", "dropped", "lost", "paused"]


@router.get("/retries/counts")
async def retry_counts(
    pool: Database, caller: Reader, tenant: Tenant = None, mailing: Id | None = None
) -> Page[RetryCount]:
    """Count recipients that bounced softly, and their soft bounces, by state."""
    return Page(items=await retries.count_by_state(pool, caller.tenant_for(tenant), mailing))


@router.get("/retries")
async def list_retries(
    pool: Database,
    caller: Reader,
    state: State,
    tenant: Tenant = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[RetryRow]:
    """List retries in one state."""
    rows = await retries.list_page(pool, caller.tenant_for(tenant), state, decode_key(cursor), limit + 1)
    more = len(rows) > limit
    return Page(items=rows[:limit], next_cursor=encode_cursor(rows[limit - 1].recipient.hex) if more else None)
