"""Commands on addresses: block, clear bounce-flag."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts import BlockClear, BlockSet, Text, Time, ids
from returpost.contracts.addresses import key, normalise
from returpost.contracts.cloudevents import event
from returpost.errors import InvalidMessage
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.address_state.handlers.commands import take_clears, take_sets
from services.blocklist.address_state.log_undo import undo_last
from services.blocklist.address_state.reevaluate import Trigger
from shared.http.callers import Tenant, Writer

router = APIRouter()


class Said(BaseModel):
    """A command on addresses."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]
    note: Annotated[Text, Field(max_length=1_000)] = ""


class SaidUntil(Said):
    """A command to block, for a while or until it is lifted."""

    until: Time | None = None


@router.post("/blocks", status_code=202)
async def block(request: Request, caller: Writer, said: SaidUntil, tenant: Tenant = None) -> dict[str, int]:
    """Block addresses by hand, until a time or until they are cleared."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    if said.until is not None and said.until <= now:
        raise InvalidMessage("until: is over already")
    data = BlockSet(addresses=said.addresses, time=now, by=caller.name, note=said.note, until=said.until)
    command = event(data, id=_identity(owner, data), source=f"/callers/{caller.name}", tenant=owner)
    service = request.app.state.service
    async with service.uow_factory.begin() as work:
        await take_sets([command], work, request.app.state.clock, service.settings.clock_tolerance)
    return {"addresses": len(data.addresses)}


@router.post("/blocks/clear", status_code=202)
async def clear(request: Request, caller: Writer, said: Said, tenant: Tenant = None) -> dict[str, int]:
    """Clear bounce-flag: lift the blocks, zero the counts, keep the history."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    data = BlockClear(addresses=said.addresses, time=now, by=caller.name, note=said.note)
    command = event(data, id=_identity(owner, data), source=f"/callers/{caller.name}", tenant=owner)
    service = request.app.state.service
    async with service.uow_factory.begin() as work:
        await take_clears([command], work, request.app.state.clock, service.settings.clock_tolerance)
    return {"addresses": len(data.addresses)}


@router.post("/blocks/undo")
async def undo(request: Request, caller: Writer, said: Said, tenant: Tenant = None) -> dict[str, int]:
    """Undo the last block or lift of each of these addresses; tells of how many it undid what.

    What somebody commanded is taken back (`take_back`); a block that followed from bounces is lifted (`lift`); an
    address that a delivery, a setting or time had freed is blocked by hand (`block`).
    """
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    keys = {(owner, key(normalise(address))) for address in said.addresses}
    trigger = Trigger(
        ids.of_content("undo", owner, caller.name, now, *said.addresses), now, caller.name, None, said.note
    )
    async with request.app.state.service.uow_factory.begin() as work:
        return dict(await undo_last(work, keys, trigger, now))


def _identity(tenant: str, data: BlockSet | BlockClear) -> str:
    return ids.of_content(data.TYPE, tenant, data.by, data.time, *data.addresses)
