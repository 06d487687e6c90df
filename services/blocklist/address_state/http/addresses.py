"""Why an address is blocked or not, and all that happened to it."""

from fastapi import APIRouter, Request

from returpost.contracts.addresses import key, normalise
from services.blocklist.address_state import explanation
from services.blocklist.address_state.explanation import AddressExplanation
from services.blocklist.address_state.repository import views
from shared.http.dependencies import Reader, Tenant

router = APIRouter()


@router.get("/addresses/{address:path}")
async def get_address(request: Request, caller: Reader, address: str, tenant: Tenant = None) -> AddressExplanation:
    """All that is known of one address: its state, why, and its history, newest first."""
    whose = (caller.tenant_for(tenant), key(normalise(address)))
    state = request.app.state
    return explanation.of_address(whose[1], await views.address(state.service.pool, whose, state.clock()))
