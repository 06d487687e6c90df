"""What is done in the background for a tenant, and how far it has come."""

import asyncio
import base64
import binascii
import json
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from asyncpg import Record
from fastapi import APIRouter, HTTPException, Query, Request

from returpost.errors import InvalidMessage
from services.blocklist.jobs.repository import Kind, Q
from services.blocklist.tenant_settings import settings_preview
from shared.http.callers import Reader, Tenant

PATIENCE_SECONDS = 2.0
"""How long an answer waits for an operation that may be done at once."""

router = APIRouter(prefix="/operations")


@router.get("")
async def listed(
    request: Request,
    caller: Reader,
    kind: Kind | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    tenant: Tenant = None,
) -> dict[str, Any]:
    """The operations of a tenant, newest first; `next` is what to give as `after` for the page that follows."""
    owner = caller.tenant_for(tenant)
    rows = await request.app.state.service.pool.fetch(Q["operations"], owner, kind, *_position(after), limit)
    last = rows[-1] if len(rows) == limit else None
    return {"operations": [shown(row) for row in rows], "next": last and _mark(last)}


@router.get("/{id}")
async def one(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> dict[str, Any]:
    """One operation: state, progress, what it came to."""
    row = await request.app.state.service.pool.fetchrow(Q["operation"], caller.tenant_for(tenant), id)
    if row is None:
        raise HTTPException(404, "operation: there is none with this id")
    return shown(row)


async def finished(request: Request, tenant: str, id_: UUID) -> dict[str, Any]:
    """Return the operation when it is finished, or as it is when that takes long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while True:
        row = await request.app.state.service.pool.fetchrow(Q["operation"], tenant, id_)
        if row is None:
            raise HTTPException(404, "operation: there is none with this id")
        if row["finished_at"] or loop.time() > deadline:
            return shown(row)
        await asyncio.sleep(0.02)


def shown(row: Record) -> dict[str, Any]:
    """Return an operation as the API shows it."""
    result = json.loads(row["result"])
    shaped = settings_preview.summary(result) if row["kind"] == Kind.WHAT_IF else result
    return {**row, "what": json.loads(row["what"]), "result": shaped}


def _mark(row: Record) -> str:
    return base64.urlsafe_b64encode(f"{row['requested_at'].isoformat()} {row['id']}".encode()).decode()


def _position(mark: str | None) -> tuple[datetime | None, UUID | None]:
    if mark is None:
        return None, None
    try:
        time, _, id_ = base64.urlsafe_b64decode(mark).decode().partition(" ")
        return datetime.fromisoformat(time), UUID(id_)
    except (binascii.Error, ValueError):
        raise InvalidMessage("after: not a mark that a page gave as `next`") from None
