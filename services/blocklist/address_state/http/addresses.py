"""Why an address is blocked or not, and all that happened to it."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from returpost.contracts.addresses import key, normalise
from services.blocklist.address_state import block_log, explanation, repository
from services.blocklist.tenant_settings import repository as policy_repository
from shared.database.queries import queries
from shared.http.callers import Reader, Tenant

Q = queries(Path(__file__).parents[1] / "addresses.sql")
MAX_HISTORY = 1_000

router = APIRouter()


@router.get("/addresses/{address:path}")
async def address_state(request: Request, caller: Reader, address: str, tenant: Tenant = None) -> dict[str, Any]:
    """All that is known of one address: its standing, why, and its history, newest first."""
    place = (caller.tenant_for(tenant), key(normalise(address)))
    pool = request.app.state.service.pool
    # One moment for all: standing and history must not be of before and after a bounce.
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        known = (await repository.known(connection, [place])).get(place)
        row = await connection.fetchrow(Q["address"], *place)
        policy = policy_repository.policy_of(await connection.fetchrow(policy_repository.Q["settings"], [place[0]]))
        changes = await connection.fetch(block_log.Q["of_address"], *place, MAX_HISTORY)
        history = await connection.fetch(Q["history"], *place, MAX_HISTORY)
        erased = await connection.fetchval(Q["erased"], *place) if policy.skip_erased else None
    return explanation.of_address(place[1], known, row, history, changes, policy, erased)
