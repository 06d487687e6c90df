"""HTTP: the audit of what operators did."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.replay.http.dependencies import Asks
from services.replay.repository import audit
from services.replay.repository.audit import AuditEntry
from shared.http.dependencies import Database
from shared.http.pagination import Cursor, Page, decode_id, encode_cursor

router = APIRouter(prefix="/v1", tags=["audit"])


@router.get("/audit")
async def list_audit(
    pool: Database, asking: Asks, cursor: Cursor = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Page[AuditEntry]:
    """List what operators did and why, latest first; those of one tenant see what operators of theirs did."""
    rows = await audit.list_page(pool, None if asking.of_all else asking.tenant, decode_id(cursor), limit + 1)
    more = len(rows) > limit
    return Page(items=rows[:limit], next_cursor=encode_cursor(rows[limit - 1].number) if more else None)
