"""What was posted to webhooks, and posting it again."""

import json
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field, JsonValue

from returpost.amqp.connections import CONNECTION_ERRORS, open_connection
from returpost.contracts import Id, Name, Time
from returpost.errors import Unavailable
from services.blocklist.outbound_webhooks import repository
from services.blocklist.outbound_webhooks.http.webhooks import found
from services.blocklist.outbound_webhooks.stream_reader import events_of, parts_between
from shared.http.dependencies import Administrator, Tenant
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

DeliveryState = Literal["open", "delivered", "skipped", "lost", "superseded"]

router = APIRouter(prefix="/webhooks/{name}")


class ResendFrom(BaseModel):
    """From when on to post again."""

    start: Time = Field(alias="from")


class ResendingFrom(BaseModel):
    """It is posted again from this time on."""

    from_: Annotated[datetime, Field(alias="from")]


class Resending(BaseModel):
    """It is posted again."""

    delivery: str


class DeliveryOut(BaseModel):
    """What was posted as one message."""

    id: str
    state: DeliveryState
    events: int
    formed_at: datetime
    due_at: datetime
    done_at: datetime | None
    attempts: int
    status: Annotated[int | None, Field(description="Of the last answer, by HTTP; 0 when there was none")]
    problem: str


class Attempt(BaseModel):
    """One POST."""

    time: datetime
    status: int
    milliseconds: int
    problem: str = ""


class DeliveryDetail(DeliveryOut):
    """What was posted as one message, with every attempt and its events."""

    first_offset: int
    last_offset: int
    tries: list[Attempt]
    body: Annotated[
        list[dict[str, JsonValue]] | None,
        Field(description="The events, as CloudEvents; none when the stream no longer has them"),
    ]


@router.get("/deliveries")
async def list_deliveries(
    request: Request,
    caller: Administrator,
    name: Name,
    state: DeliveryState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    tenant: Tenant = None,
) -> Page[DeliveryOut]:
    """What was posted, newest first."""
    webhook = await _webhook(request, caller.tenant_for(tenant), name)
    before = decode_cursor(cursor, datetime, str) if cursor else (None, None)
    pool = request.app.state.service.pool
    rows = await repository.deliveries(pool, webhook, state, (before[0], before[1]), limit)
    return Page(items=[DeliveryOut(**row) for row in rows], next_cursor=next_cursor(rows, limit, "formed_at", "id"))


@router.get("/deliveries/{delivery}")
async def get_delivery(
    request: Request, caller: Administrator, name: Name, delivery: Id, tenant: Tenant = None
) -> DeliveryDetail:
    """One delivery with every attempt, and its events as far as the stream still has them."""
    owner = caller.tenant_for(tenant)
    service = request.app.state.service
    row = await repository.delivery(service.pool, await _webhook(request, owner, name), delivery)
    if row is None:
        raise HTTPException(404, "delivery: there is none with this id")
    try:
        async with open_connection(service.settings.amqp_url.get_secret_value()) as connection:
            parts = await parts_between(connection, owner, row["first_offset"], row["last_offset"])
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"RabbitMQ: {type(error).__name__}") from None
    return DeliveryDetail(**{**row, "tries": json.loads(row["tries"]), "body": events_of(parts) or None})


@router.post("/deliveries/{delivery}/resend", status_code=202)
async def resend(request: Request, caller: Administrator, name: Name, delivery: Id, tenant: Tenant = None) -> Resending:
    """Post one again, under its own id."""
    webhook = await _webhook(request, caller.tenant_for(tenant), name)
    if not await repository.resend(request.app.state.service.pool, webhook, delivery, request.app.state.clock()):
        raise HTTPException(404, "delivery: there is none with this id")
    return Resending(delivery=delivery)


@router.post("/resend", status_code=202)
async def resend_from(
    request: Request, caller: Administrator, name: Name, since: ResendFrom, tenant: Tenant = None
) -> ResendingFrom:
    """Post everything again that happened since a time, as far as the stream has it, then what comes."""
    webhook = await _webhook(request, caller.tenant_for(tenant), name)
    await repository.send_from(request.app.state.service.pool, webhook, since.start, request.app.state.clock())
    return ResendingFrom(**{"from": since.start})


async def _webhook(request: Request, owner: str, name: str) -> UUID:
    row = found(await repository.get(request.app.state.service.pool, owner, name))
    id_: UUID = row["id"]
    return id_
