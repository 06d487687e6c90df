"""Suppressions by hand: unsubscribe an address, say that a person has left, and lift either with a reason."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from returpost.contracts import Name, SubscriptionConfirmed, SuppressionLift, SuppressionSet, Text, ids
from returpost.contracts.messages.suppression import SuppressionCause
from services.blocklist.address_state.domain import MAX_ADDRESSES
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.handlers import suppressions
from services.blocklist.address_state.http.commands import Accepted
from shared.http.dependencies import Tenant, Writer

router = APIRouter()

C = TypeVar("C", SuppressionSet, SuppressionLift)


class SuppressionCommand(BaseModel):
    """Whom to skip, and why."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]
    cause: SuppressionCause
    stream: Name | None = None
    """Of an unsubscribe: from what; none: from everything."""
    note: Annotated[Text, Field(max_length=1_000)] = ""


class LiftCommand(SuppressionCommand):
    """Whom to mail again, and the reason, which stays in the history."""

    note: Annotated[Text, Field(min_length=1, max_length=1_000)]


class SubscriptionsCommand(BaseModel):
    """Addresses whose owners have confirmed that they want mail."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]
    stream: Name | None = None
    source: Annotated[Text, Field(max_length=200)] = ""
    """The form or system that it came by."""


@router.post("/suppressions", status_code=202)
async def suppress(request: Request, caller: Writer, command: SuppressionCommand, tenant: Tenant = None) -> Accepted:
    """Skip addresses because their owner unsubscribed or has left; clearing the bounce-flag does not lift it."""
    owner, state = caller.tenant_for(tenant), request.app.state
    data = SuppressionSet(**command.model_dump(), time=state.clock(), by=caller.name)
    event = new_event(data, id=_identity(owner, data), tenant=owner)
    async with state.service.uow_factory.begin() as work:
        await suppressions.handle_suppression_set([event], work, state.clock, state.service.settings.clock_tolerance)
    return Accepted(addresses=len(data.addresses))


@router.post("/suppressions/lift", status_code=202)
async def lift(request: Request, caller: Writer, command: LiftCommand, tenant: Tenant = None) -> Accepted:
    """Lift an unsubscribe, or that somebody has left, by hand; the reason is required."""
    owner, state = caller.tenant_for(tenant), request.app.state
    data = SuppressionLift(**command.model_dump(), time=state.clock(), by=caller.name)
    event = new_event(data, id=_identity(owner, data), tenant=owner)
    async with state.service.uow_factory.begin() as work:
        await suppressions.handle_suppression_lift([event], work, state.clock, state.service.settings.clock_tolerance)
    return Accepted(addresses=len(data.addresses))


@router.post("/subscriptions", status_code=202)
async def subscribe(request: Request, caller: Writer, command: SubscriptionsCommand, tenant: Tenant = None) -> Accepted:
    """Say that owners of addresses have subscribed again: their earlier unsubscribes no longer hold."""
    owner, state = caller.tenant_for(tenant), request.app.state
    now, source = state.clock(), command.source or caller.name
    events = []
    for address in command.addresses:
        data = SubscriptionConfirmed(address=address, stream=command.stream, time=now, source=source)
        id_ = ids.of_content(data.TYPE, owner, data.address, data.stream, now)
        events.append(new_event(data, id=id_, tenant=owner))
    async with state.service.uow_factory.begin() as work:
        await suppressions.handle_subscriptions(events, work, state.clock, state.service.settings.clock_tolerance)
    return Accepted(addresses=len(events))


def _identity(tenant: str, data: C) -> str:
    return ids.of_content(data.TYPE, tenant, data.by, data.time, data.cause, data.stream, *data.addresses)
