"""What was posted to webhooks, and posting it again."""

import base64
import binascii
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from asyncpg import Record
from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field

from returpost.amqp.connections import CONNECTION_ERRORS, open_connection
from returpost.contracts import Id, Name, Time
from returpost.errors import InvalidMessage, Unavailable
from services.blocklist.outbound_webhooks.repository import Q
from services.blocklist.outbound_webhooks.stream_reader import events_of, parts_between
from shared.http.callers import Administrator, Tenant

router = APIRouter(prefix="/webhooks/{name}")


class Since(BaseModel):
    """From when on to post again."""

    start: Time = Field(alias="from")


@router.get("/deliveries")
async def deliveries(
    request: Request,
    caller: Administrator,
    name: Name,
    state: Literal["open", "delivered", "skipped", "lost", "superseded"] | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    tenant: Tenant = None,
) -> dict[str, Any]:
    """What was posted, newest first; `next` is what to give as `after` for the page that follows."""
    hook = await _webhook(request, caller.tenant_for(tenant), name)
    rows = await request.app.state.service.pool.fetch(Q["deliveries"], hook["id"], state, *_position(after), limit)
    last = rows[-1] if len(rows) == limit else None
    return {"deliveries": [dict(row) for row in rows], "next": last and _mark(last)}


@router.get("/deliveries/{delivery}")
async def delivery(
    request: Request, caller: Administrator, name: Name, delivery: Id, tenant: Tenant = None
) -> dict[str, Any]:
    """One delivery with every attempt, and its events as far as the stream still has them."""
    owner = caller.tenant_for(tenant)
    hook = await _webhook(request, owner, name)
    service = request.app.state.service
    row = await service.pool.fetchrow(Q["delivery"], hook["id"], delivery)
    if row is None:
        raise HTTPException(404, "delivery: there is none with this id")
    try:
        async with open_connection(service.settings.amqp_url.get_secret_value()) as connection:
            parts = await parts_between(connection, owner, row["first_offset"], row["last_offset"])
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"RabbitMQ: {type(error).__name__}") from None
    return {**row, "tries": json.loads(row["tries"]), "body": events_of(parts) or None}


@router.post("/deliveries/{delivery}/resend", status_code=202)
async def resend(
    request: Request, caller: Administrator, name: Name, delivery: Id, tenant: Tenant = None
) -> dict[str, str]:
    """Post one again, under its own id."""
    hook = await _webhook(request, caller.tenant_for(tenant), name)
    pool = request.app.state.service.pool
    if await pool.fetchval(Q["resend"], hook["id"], delivery, request.app.state.clock()) is None:
        raise HTTPException(404, "delivery: there is none with this id")
    return {"delivery": delivery}


@router.post("/resend", status_code=202)
async def resend_from(
    request: Request, caller: Administrator, name: Name, since: Since, tenant: Tenant = None
) -> dict[str, Any]:
    """Post everything again that happened since a time, as far as the stream has it, then what comes."""
    now = request.app.state.clock()
    hook = await _webhook(request, caller.tenant_for(tenant), name)
    await request.app.state.service.pool.execute(Q["send_from"], hook["id"], since.start, now)
    return {"from": since.start}


async def _webhook(request: Request, owner: str, name: str) -> Record:
    row: Record | None = await request.app.state.service.pool.fetchrow(Q["one"], owner, name)
    if row is None:
        raise HTTPException(404, "webhook: there is none of this name")
    return row


def _mark(row: Record) -> str:
    return base64.urlsafe_b64encode(f"{row['formed_at'].isoformat()} {row['id']}".encode()).decode()


def _position(mark: str | None) -> tuple[datetime | None, str | None]:
    if mark is None:
        return None, None
    try:
        time, _, id_ = base64.urlsafe_b64decode(mark).decode().partition(" ")
        return datetime.fromisoformat(time), id_
    except (binascii.Error, ValueError):
        raise InvalidMessage("after: not a mark that a page gave as `next`") from None
