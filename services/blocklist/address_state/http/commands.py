"""Commands on addresses: block, clear bounce-flag, undo."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts import BlockClear, BlockSet, Note, Time, ids
from returpost.contracts.addresses import key, normalise
from returpost.errors import InvalidMessage
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.handlers.commands import handle_block_clear, handle_block_set
from services.blocklist.address_state.log_undo import undo_last
from services.blocklist.address_state.records import Trigger
from shared.http.dependencies import Tenant, Writer

router = APIRouter()


class AddressesCommand(BaseModel):
    """A command on addresses."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]
    note: Annotated[Note, Field(max_length=1_000)] = ""


class BlockCommand(AddressesCommand):
    """A command to block, for a while or until it is lifted."""

    until: Time | None = None


class Accepted(BaseModel):
    """The command was taken."""

    addresses: int


class Undone(BaseModel):
    """How many addresses were treated how."""

    take_back: Annotated[int, Field(description="What was commanded is withdrawn")] = 0
    lift: Annotated[int, Field(description="A block that followed from bounces is lifted")] = 0
    block: Annotated[int, Field(description="What was freed by a delivery, a setting or time is blocked by hand")] = 0
    nothing: Annotated[int, Field(description="There was nothing to undo")] = 0


@router.post("/blocks", status_code=202)
async def block(request: Request, caller: Writer, command: BlockCommand, tenant: Tenant = None) -> Accepted:
    """Block addresses by hand, until a time or until they are cleared."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    if command.until is not None and command.until <= now:
        raise InvalidMessage("until: is over already")
    data = BlockSet(addresses=command.addresses, time=now, by=caller.name, note=command.note, until=command.until)
    service = request.app.state.service
    event = new_event(data, id=_identity(owner, data), tenant=owner)
    async with service.uow_factory.begin() as work:
        await handle_block_set([event], work, request.app.state.clock, service.settings.clock_tolerance)
    return Accepted(addresses=len(data.addresses))


@router.post("/blocks/clear", status_code=202)
async def clear(request: Request, caller: Writer, command: AddressesCommand, tenant: Tenant = None) -> Accepted:
    """Clear bounce-flag: lift the blocks, zero the counts, keep the history."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    data = BlockClear(addresses=command.addresses, time=now, by=caller.name, note=command.note)
    service = request.app.state.service
    event = new_event(data, id=_identity(owner, data), tenant=owner)
    async with service.uow_factory.begin() as work:
        await handle_block_clear([event], work, request.app.state.clock, service.settings.clock_tolerance)
    return Accepted(addresses=len(data.addresses))


@router.post("/blocks/undo")
async def undo(request: Request, caller: Writer, command: AddressesCommand, tenant: Tenant = None) -> Undone:
    """Undo the last block or lift of each of these addresses; tells of how many it undid what.

    What was commanded is withdrawn (`take_back`); a block that followed from bounces is lifted (`lift`); an address
    that a delivery, a setting or time had freed is blocked by hand (`block`).
    """
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    keys = {(owner, key(normalise(address))) for address in command.addresses}
    id_ = ids.of_content("undo", owner, caller.name, now, *command.addresses)
    trigger = Trigger(id_, now, caller.name, None, command.note)
    async with request.app.state.service.uow_factory.begin() as work:
        return Undone(**await undo_last(work, keys, trigger, now))


def _identity(tenant: str, data: BlockSet | BlockClear) -> str:
    return ids.of_content(data.TYPE, tenant, data.by, data.time, *data.addresses)
