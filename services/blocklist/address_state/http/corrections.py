"""Correct addresses."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts import AddressCorrect, Correction, Note, ids
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.handlers.corrections import handle_corrections
from shared.http.dependencies import Tenant, Writer

router = APIRouter()


class CorrectCommand(BaseModel):
    """Addresses that were wrong, each with the right one."""

    corrections: Annotated[list[Correction], Field(min_length=1, max_length=MAX_ADDRESSES)]
    note: Annotated[Note, Field(max_length=1_000)] = ""


class Corrected(BaseModel):
    """The command was taken."""

    corrections: int


@router.post("/addresses/correct", status_code=202)
async def correct(request: Request, caller: Writer, command: CorrectCommand, tenant: Tenant = None) -> Corrected:
    """Say that addresses are written otherwise: the new ones start clean, the old ones stay as they are."""
    owner, clock = caller.tenant_for(tenant), request.app.state.clock
    data = AddressCorrect(corrections=command.corrections, time=clock(), by=caller.name, note=command.note)
    pairs = [f"{one.old} {one.new}" for one in data.corrections]
    event = new_event(data, id=ids.of_content(data.TYPE, owner, data.by, data.time, *pairs), tenant=owner)
    async with request.app.state.service.uow_factory.begin() as work:
        await handle_corrections([event], work, clock)
    return Corrected(corrections=len(data.corrections))
