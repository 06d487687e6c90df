"""HTTP: what operators do with pending retries."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict

from services.classifier.domain.retry_admin import Action, RetrySelection
from services.classifier.repository import retry_admin
from services.classifier.repository.retry_admin import ActionRow
from shared.http.dependencies import Database, Operator, Reader, Tenant, Units
from shared.http.pagination import Cursor, Page, decode_id, encode_cursor

router = APIRouter(prefix="/v1", tags=["retries"])
CHUNK = 5_000
"""Retries per transaction: short locks, so that bounces and dispatch go on meanwhile."""


class RetryAction(BaseModel):
    """What to do with which pending retries; `dry_run` only counts them."""

    model_config = ConfigDict(extra="forbid")

    action: Action
    selection: RetrySelection
    dry_run: bool = False


class RetryActionResult(BaseModel):
    """How many retries were changed, or would be."""

    action: Action
    retries: int
    dry_run: bool


@router.post("/retries/actions")
async def act(
    request: Request, units: Units, caller: Operator, wanted: RetryAction, tenant: Tenant = None
) -> RetryActionResult:
    """Drop pending retries, make them due now, or undo a drop."""
    owner, now, action, selection = (
        caller.tenant_for(tenant),
        request.app.state.clock(),
        wanted.action,
        wanted.selection,
    )
    changed = 0
    while not wanted.dry_run:
        async with units.begin() as work:
            done = await retry_admin.apply(work.connection, owner, action, selection, now, CHUNK)
            changed += done
            if done < CHUNK:
                await retry_admin.log_action(work.connection, owner, action, selection, caller.name, now, changed)
                break
    if wanted.dry_run:
        async with units.begin() as work:
            changed = await retry_admin.count(work.connection, owner, action, selection, now)
    return RetryActionResult(action=action, retries=changed, dry_run=wanted.dry_run)


@router.get("/retries/actions")
async def list_actions(
    pool: Database,
    caller: Reader,
    tenant: Tenant = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[ActionRow]:
    """List what operators did with pending retries, newest first."""
    rows = await retry_admin.list_page(pool, caller.tenant_for(tenant), decode_id(cursor), limit + 1)
    more = len(rows) > limit
    return Page(items=rows[:limit], next_cursor=encode_cursor(rows[limit - 1].id) if more else None)
