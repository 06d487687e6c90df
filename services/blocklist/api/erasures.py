"""Erase addresses."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.blocklist.api.access import MAX_ADDRESSES, Administrator, Tenant
from services.blocklist.commands import take_erasures
from shared import ids
from shared.cloudevents import event
from shared.contracts import Address, AddressErase

router = APIRouter()


class Erase(BaseModel):
    """Whom to forget."""

    addresses: Annotated[list[Address], Field(min_length=1, max_length=MAX_ADDRESSES)]


@router.post("/addresses/erase", status_code=202)
async def erase(request: Request, caller: Administrator, said: Erase, tenant: Tenant = None) -> dict[str, int]:
    """Remove addresses with all that is known of them, here at once and in every service that hears of it.

    It cannot be undone: nothing is left to put back. Blocks go with the rest; whoever must not be mailed again is
    blocked anew afterwards. `POST /v1/traces` of each service tells what is left.
    """
    owner, clock = caller.tenant_for(tenant), request.app.state.clock
    service = request.app.state.service
    data = AddressErase(addresses=said.addresses, time=clock(), by=caller.name)
    identity = ids.of_content(data.TYPE, owner, data.by, data.time, *data.addresses)
    command = event(data, id=identity, source=f"/callers/{caller.name}", tenant=owner)
    async with service.effects.begin() as work:
        await take_erasures([command], work, clock, remember=service.settings.remember_erased)
    return {"addresses": len(data.addresses)}
