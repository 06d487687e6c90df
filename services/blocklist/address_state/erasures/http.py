"""Erase addresses: at once or when the tenant's settings say so, and undo it until then."""

from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from returpost.contracts import Address, AddressErase, ids
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import event
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.address_state.erasures import scheduled_erasures
from services.blocklist.address_state.erasures.repository import Q, leave
from services.blocklist.address_state.handlers.commands import take_erasures
from services.blocklist.address_state.http.blocks import mark, position
from services.blocklist.tenant_settings import repository as policy_repository
from shared.http.callers import Administrator, Tenant

log = structlog.get_logger()
router = APIRouter()


class Whose(BaseModel):
    """Addresses whose erasure waits."""

    addresses: Annotated[list[Address], Field(min_length=1, max_length=MAX_ADDRESSES)]


class Erase(Whose):
    """Whom to forget."""

    now: bool = False
    """Do not wait, whatever the settings say, and hurry what waits."""


@router.post("/addresses/erase", status_code=202)
async def erase(request: Request, caller: Administrator, said: Erase, tenant: Tenant = None) -> dict[str, Any]:
    """Remove addresses with all that is known of them, here at once and in every service that hears of it.

    With the setting `erase_after_days` it waits so long (`due`), and nothing changes until then: `GET /v1/erasures`
    lists what waits, `POST /v1/erasures/undo` undoes it. What is erased cannot be undone: nothing is left to put back.
    Blocks go with the rest; whoever must not be mailed again is blocked anew, or skipped by the setting `skip_erased`.
    `POST /v1/residual-searches` of each service tells what is left.
    """
    owner, clock = caller.tenant_for(tenant), request.app.state.clock
    service = request.app.state.service
    data = AddressErase(addresses=said.addresses, time=clock(), by=caller.name)
    identity = ids.of_content(data.TYPE, owner, data.by, data.time, *data.addresses)
    command = event(data, id=identity, source=f"/callers/{caller.name}", tenant=owner)
    due: datetime | None = None
    async with service.uow_factory.begin() as work:
        days = 0 if said.now else (await policy_repository.of_tenant(work.connection, owner)).erase_after_days
        if days:
            keys = [(owner, key(address)) for address in data.addresses]
            due = await scheduled_erasures.wait(work, keys, caller.name, days, data.time)
        else:
            await take_erasures([command], work, clock, remember=service.settings.remember_erased)
    return {"addresses": len(data.addresses), "due": due}


@router.get("/erasures")
async def erasures(
    request: Request,
    caller: Administrator,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    tenant: Tenant = None,
) -> dict[str, Any]:
    """A page of the erasures that wait, the next that is due first: who asked, when, and when it is due."""
    owner = caller.tenant_for(tenant)
    rows = await request.app.state.service.pool.fetch(Q["waiting"], owner, *position(after), limit)
    last = rows[-1] if len(rows) == limit else None
    return {"erasures": [dict(row) for row in rows], "next": last and mark(last["due"], last["address"])}


@router.post("/erasures/undo")
async def undo(request: Request, caller: Administrator, said: Whose, tenant: Tenant = None) -> dict[str, int]:
    """Undo erasures that wait; `nothing` counts the addresses of which none does: never asked for, or done by now."""
    keys = {(caller.tenant_for(tenant), key(address)) for address in said.addresses}
    async with request.app.state.service.uow_factory.begin() as work:
        undone = await leave(work.connection, keys)
    log.info("erasures undone", tenant=caller.tenant_for(tenant), by=caller.name, addresses=undone)
    return {"undone": undone, "nothing": len(keys) - undone}
