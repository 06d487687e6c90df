"""HTTP: one address."""

from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel

from returpost.contracts.addresses import key, normalise
from services.actions.contacts.addresses import repository
from services.actions.contacts.http import MAX_HISTORY, HistoryEntry
from shared.http.dependencies import Reader, Tenant

router = APIRouter(prefix="/v1/addresses", tags=["contacts"])


class Owner(BaseModel):
    """A contact that has the address."""

    contact: str
    name: str | None
    company: str | None
    former_employee: bool


class CorrectedAddress(BaseModel):
    """The other address of a correction, when it was made and by whom."""

    address: str
    time: datetime
    by: str


class AddressDetail(BaseModel):
    """An address: its block, its last return, whose it is, what it was corrected to and from, and its history."""

    address: str
    blocked: bool
    cause: str | None
    block_reason: str | None
    return_count: int | None
    blocked_since: datetime | None
    mailing: str | None
    """Of the last return, as the fields down to `returned_at`."""
    status: str | None
    reason: str | None
    reply_code: int | None
    enhanced_status: str | None
    diagnostic: str | None
    rule: str | None
    returned_at: datetime | None
    last_delivered: datetime | None
    complained: bool
    unsubscribed: bool
    contacts: list[Owner]
    corrected_to: CorrectedAddress | None
    corrected_from: list[CorrectedAddress]
    history: list[HistoryEntry]


@router.get("/{address:path}")
async def address(request: Request, caller: Reader, address: str, tenant: Tenant = None) -> AddressDetail:
    """All that is known of one address, whoever has it, and if nobody has."""
    owner, place = caller.tenant_for(tenant), key(normalise(address))
    found = await repository.find_address(request.app.state.service.pool, owner, place, MAX_HISTORY)
    return AddressDetail.model_validate(found)
