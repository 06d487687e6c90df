"""Which deliveries of webhooks carried an event: the last part of its way."""

import asyncio
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Annotated, Literal

from aio_pika.abc import AbstractConnection
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from returpost.amqp import archive
from returpost.contracts import Id, Time
from returpost.contracts.routing import BLOCKS
from services.blocklist.outbound_webhooks import repository
from services.blocklist.outbound_webhooks.http.deliveries import DeliveryState
from shared.http.dependencies import Tenant, TenantOperator
from shared.http.pagination import Page

MAX_EVENTS = 50
MAX_SECONDS = 10.0
CLOCKS = timedelta(minutes=10)
"""By which the clocks of two services may differ."""

router = APIRouter()


class EventDelivery(BaseModel):
    """One event on its way to one webhook."""

    event: str
    webhook: str
    enabled: bool
    delivery: Annotated[str | None, Field(description="Its id, as the receiver sees it; none: not posted yet")]
    state: DeliveryState | Literal["waiting"]
    formed_at: datetime | None
    due_at: datetime | None
    done_at: datetime | None
    attempts: int
    status: int | None
    problem: str


@router.get("/webhook-deliveries")
async def deliveries_of_events(
    request: Request,
    caller: TenantOperator,
    event: Annotated[list[Id], Query(min_length=1, max_length=MAX_EVENTS)],
    since: Annotated[Time, Query(description="No event is older")],
    tenant: Tenant = None,
) -> Page[EventDelivery]:
    """With which deliveries some events on blocks went to the webhooks of their tenant, on one page.

    Events that the stream no longer has, or that are not found in it within 10 s, are left out.
    """
    owner = caller.tenant_for(tenant)
    service = request.app.state.service
    found = await _find(await service.broker.consuming.connection(), owner, set(event), since)
    identities = list(found)
    rows = await repository.deliveries_of(
        service.pool, owner, list(found.values()), max(since, archive.EPOCH + CLOCKS) - CLOCKS
    )
    return Page(items=[_out(identities[row["no"] - 1], dict(row)) for row in rows])


async def _find(
    connection: AbstractConnection, tenant: str, wanted: set[str], since: datetime
) -> dict[str, tuple[int, datetime]]:
    """Return offset and time of the events of a tenant in the stream of blocks. Raises `Unavailable`."""
    found: dict[str, tuple[int, datetime]] = {}
    needles = [identity.lower().encode() for identity in wanted]
    deadline = asyncio.get_running_loop().time() + MAX_SECONDS
    reading = archive.read(connection, since=since, offset=None, containing=needles, stream=BLOCKS)
    async with aclosing(reading) as messages:
        async for message in messages:
            for one in message.events:
                identity = str(one.get("id"))
                if identity in wanted and one.get("tenant") == tenant:
                    found[identity] = message.offset, datetime.fromisoformat(str(one["time"]))
            if len(found) == len(wanted) or asyncio.get_running_loop().time() > deadline:
                break
    return found


def _out(event: str, row: dict[str, object]) -> EventDelivery:
    """Make of a row what is answered; without a delivery it waits."""
    known = {"state": "waiting", "attempts": 0, "problem": ""} if row["id"] is None else {}
    return EventDelivery.model_validate({**row, **known, "event": event, "delivery": row["id"]})
