"""Erase addresses: at once or when the tenant's settings say so, and undo it until then."""

from datetime import datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts import Address, AddressErase, ids
from returpost.contracts.addresses import key
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.handlers.erasures import handle_erase
from services.blocklist.address_state.repository import views
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.address_state.scheduled_erasures import schedule
from shared.http.dependencies import Administrator, Tenant
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

log = structlog.get_logger()
router = APIRouter()


class UndoCommand(BaseModel):
    """Addresses whose scheduled erasure is undone."""

    addresses: Annotated[list[Address], Field(min_length=1, max_length=MAX_ADDRESSES)]


class EraseCommand(UndoCommand):
    """Whom to forget."""

    now: bool = False
    """Erase at once, whatever the settings say, and also what is scheduled."""


class ErasureAccepted(BaseModel):
    """The command was taken."""

    addresses: int
    due: Annotated[datetime | None, Field(description="By when all are erased; none: it is done")]


class ErasureOut(BaseModel):
    """One scheduled erasure."""

    address: str
    time: Annotated[datetime, Field(description="When it was requested")]
    by: str
    due: datetime


class ErasuresUndone(BaseModel):
    """How many erasures were undone."""

    undone: int
    nothing: Annotated[int, Field(description="Addresses without a scheduled erasure: never requested, or done")]


@router.post("/addresses/erase", status_code=202)
async def erase(
    request: Request, caller: Administrator, command: EraseCommand, tenant: Tenant = None
) -> ErasureAccepted:
    """Remove addresses with all that is known of them, here at once and in every service that hears of it.

    With the setting `erase_after_days` it is scheduled (`due`), and nothing changes until then: `GET /v1/erasures`
    lists what is scheduled, `POST /v1/erasures/undo` undoes it. What is erased cannot be undone: nothing is left to
    put back. Blocks go with the rest; whoever must not be mailed again is blocked anew, or skipped by the setting
    `skip_erased`. `POST /v1/residual-searches` of each service tells what is left.
    """
    owner, clock = caller.tenant_for(tenant), request.app.state.clock
    service = request.app.state.service
    data = AddressErase(addresses=command.addresses, time=clock(), by=caller.name)
    identity = ids.of_content(data.TYPE, owner, data.by, data.time, *data.addresses)
    due: datetime | None = None
    async with service.uow_factory.begin() as work:
        repository = PostgresRepository(work.connection)
        days = 0 if command.now else (await repository.policy(owner)).erase_after_days
        if days:
            keys = [(owner, key(address)) for address in data.addresses]
            due = await schedule(repository, keys, caller.name, days, data.time)
        else:
            event = new_event(data, id=identity, tenant=owner)
            await handle_erase([event], work, clock, remember=service.settings.remember_erased)
    return ErasureAccepted(addresses=len(data.addresses), due=due)


@router.get("/erasures")
async def list_erasures(
    request: Request, caller: Administrator, cursor: Cursor = None, limit: Limit = 100, tenant: Tenant = None
) -> Page[ErasureOut]:
    """The scheduled erasures, the next that is due first: who requested them, when, and when they are due."""
    after = decode_cursor(cursor, datetime, str) if cursor else (None, None)
    rows = await views.list_scheduled_erasures(
        request.app.state.service.pool, caller.tenant_for(tenant), (after[0], after[1]), limit
    )
    return Page(items=[ErasureOut(**row) for row in rows], next_cursor=next_cursor(rows, limit, "due", "address"))


@router.post("/erasures/undo")
async def undo(request: Request, caller: Administrator, command: UndoCommand, tenant: Tenant = None) -> ErasuresUndone:
    """Undo scheduled erasures; `nothing` counts the addresses that have none: never requested, or done by now."""
    keys = {(caller.tenant_for(tenant), key(address)) for address in command.addresses}
    async with request.app.state.service.uow_factory.begin() as work:
        undone = await PostgresRepository(work.connection).unschedule_erasures(keys)
    log.info("erasures undone", tenant=caller.tenant_for(tenant), by=caller.name, addresses=undone)
    return ErasuresUndone(undone=undone, nothing=len(keys) - undone)
