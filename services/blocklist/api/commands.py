"""Commands on addresses: block, clear bounce-flag."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.blocklist.api.access import MAX_ADDRESSES, Tenant, Writer
from services.blocklist.commands import take_clears, take_sets
from shared import ids
from shared.cloudevents import event
from shared.contracts import BlockClear, BlockSet, Text

router = APIRouter()


class Said(BaseModel):
    """A command on addresses."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]
    note: Annotated[Text, Field(max_length=1_000)] = ""


@router.post("/blocks", status_code=202)
async def block(request: Request, caller: Writer, said: Said, tenant: Tenant = None) -> dict[str, int]:
    """Block addresses by hand, until they are cleared."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    data = BlockSet(addresses=said.addresses, time=now, by=caller.name, note=said.note)
    command = event(data, id=_identity(owner, data), source=f"/callers/{caller.name}", tenant=owner)
    service = request.app.state.service
    async with service.effects.begin() as work:
        await take_sets([command], work, request.app.state.clock, service.settings.clock_tolerance)
    return {"addresses": len(data.addresses)}


@router.post("/blocks/clear", status_code=202)
async def clear(request: Request, caller: Writer, said: Said, tenant: Tenant = None) -> dict[str, int]:
    """Clear bounce-flag: lift the blocks, zero the counts, keep the history."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    data = BlockClear(addresses=said.addresses, time=now, by=caller.name, note=said.note)
    command = event(data, id=_identity(owner, data), source=f"/callers/{caller.name}", tenant=owner)
    service = request.app.state.service
    async with service.effects.begin() as work:
        await take_clears([command], work, request.app.state.clock, service.settings.clock_tolerance)
    return {"addresses": len(data.addresses)}


def _identity(tenant: str, data: BlockSet | BlockClear) -> str:
    return ids.of_content(data.TYPE, tenant, data.by, data.time, *data.addresses)
