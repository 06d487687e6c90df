"""Who is blocked: the list, and the counts."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, Field

from returpost.contracts import Text
from returpost.contracts.addresses import normalise
from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.repository import views
from shared.http.dependencies import Reader, Tenant
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

router = APIRouter()


def _as_stored(domain: str) -> str:
    return normalise(f"x@{domain}").partition("@")[2]


Domain = Annotated[Annotated[Text, Field(max_length=253), AfterValidator(_as_stored)] | None, Query()]


class BlockOut(BaseModel):
    """One blocked address."""

    address: str
    cause: BlockCause
    causes: Annotated[list[BlockCause], Field(description="Every cause that holds, the one reported first")]
    reason: Reason | None
    since: datetime
    mailing: Annotated[str | None, Field(description="That bounced, or the import")]
    return_count: int
    version: int
    until: datetime | None
    streams: Annotated[list[str] | None, Field(description="Streams that skip it; none: all but the exempt ones")]
    exempt_streams: list[str] | None
    by: Annotated[str | None, Field(description="Who blocked it by hand, or said that its owners have left")]
    note: str | None


class BlockCount(BaseModel):
    """Blocked addresses of one cause and reason."""

    cause: BlockCause
    reason: Reason | None
    blocked: int


@router.get("/blocks")
async def list_blocks(
    request: Request,
    caller: Reader,
    cause: BlockCause | None = None,
    reason: Reason | None = None,
    domain: Domain = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    tenant: Tenant = None,
) -> Page[BlockOut]:
    """Blocked addresses, newest first."""
    before = decode_cursor(cursor, datetime, str) if cursor else (None, None)
    rows = await views.list_blocks(
        request.app.state.service.pool, caller.tenant_for(tenant), (before[0], before[1]), cause, reason, domain, limit
    )
    return Page(items=[BlockOut(**row) for row in rows], next_cursor=next_cursor(rows, limit, "since", "address"))


@router.get("/counts")
async def count_blocks(request: Request, caller: Reader, tenant: Tenant = None) -> Page[BlockCount]:
    """Blocked addresses by cause and reason, most first, on one page."""
    rows = await views.count_blocks(request.app.state.service.pool, caller.tenant_for(tenant))
    return Page(items=[BlockCount(**row) for row in rows])
