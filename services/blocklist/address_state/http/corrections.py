"""Correct addresses."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts import AddressCorrect, Correction, Text, ids
from returpost.contracts.cloudevents import event
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.address_state.handlers.corrections import take_corrections
from shared.http.callers import Tenant, Writer

router = APIRouter()


class Corrections(BaseModel):
    """Addresses that were wrong, each with the right one."""

    corrections: Annotated[list[Correction], Field(min_length=1, max_length=MAX_ADDRESSES)]
    note: Annotated[Text, Field(max_length=1_000)] = ""


@router.post("/addresses/correct", status_code=202)
async def correct(request: Request, caller: Writer, said: Corrections, tenant: Tenant = None) -> dict[str, int]:
    """Say that addresses are written otherwise: the new ones start clean, the old ones stay as they are."""
    owner, clock = caller.tenant_for(tenant), request.app.state.clock
    data = AddressCorrect(corrections=said.corrections, time=clock(), by=caller.name, note=said.note)
    pairs = [f"{one.old} {one.new}" for one in data.corrections]
    identity = ids.of_content(data.TYPE, owner, data.by, data.time, *pairs)
    command = event(data, id=identity, source=f"/callers/{caller.name}", tenant=owner)
    async with request.app.state.service.uow_factory.begin() as work:
        await take_corrections([command], work, clock)
    return {"corrections": len(data.corrections)}
