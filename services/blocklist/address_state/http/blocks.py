"""Who is blocked: the list, and the counts."""

import base64
import binascii
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field, field_validator

from returpost.contracts import Text
from returpost.contracts.addresses import normalise
from returpost.contracts.enums import BlockCause, Reason
from returpost.errors import InvalidMessage
from shared.database.queries import queries
from shared.http.callers import Reader, Tenant

Q = queries(Path(__file__).parents[1] / "blocks.sql")

router = APIRouter()


class Filter(BaseModel):
    """Which blocks to list."""

    cause: BlockCause | None = None
    reason: Reason | None = None
    domain: Annotated[Text, Field(max_length=253)] | None = None
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100

    @field_validator("domain")
    @classmethod
    def _as_stored(cls, domain: str | None) -> str | None:
        return None if domain is None else normalise(f"x@{domain}").partition("@")[2]


@router.get("/blocks")
async def blocks(
    request: Request, caller: Reader, wanted: Annotated[Filter, Query()], tenant: Tenant = None
) -> dict[str, Any]:
    """A page of blocked addresses, newest first; `next` is what to give as `after` for the page that follows."""
    owner = caller.tenant_for(tenant)
    since, address = position(wanted.after)
    rows = await request.app.state.service.pool.fetch(
        Q["list_blocks"], owner, since, address, wanted.cause, wanted.reason, wanted.domain, wanted.limit
    )
    last = rows[-1] if len(rows) == wanted.limit else None
    return {"blocks": [dict(row) for row in rows], "next": last and mark(last["since"], last["address"])}


@router.get("/counts")
async def counts(request: Request, caller: Reader, tenant: Tenant = None) -> list[dict[str, Any]]:
    """Blocked addresses by cause and reason, most first."""
    rows = await request.app.state.service.pool.fetch(Q["count_blocks"], caller.tenant_for(tenant))
    return [dict(row) for row in rows]


def mark(since: datetime, address: str) -> str:
    """Return what a page gives as `next`: its last time and address."""
    return base64.urlsafe_b64encode(f"{since.isoformat()} {address}".encode()).decode()


def position(mark: str | None) -> tuple[datetime | None, str | None]:
    """Read what a page gave as `next`. Raises `InvalidMessage`."""
    if mark is None:
        return None, None
    try:
        since, _, address = base64.urlsafe_b64decode(mark).decode().partition(" ")
        return datetime.fromisoformat(since), address
    except (binascii.Error, ValueError):
        raise InvalidMessage("after: not a mark that a page gave as `next`") from None
