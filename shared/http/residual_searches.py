"""HTTP: search every table of a service for an address, as the proof that it was erased."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from pydantic import BaseModel

from shared.database.pool import Pool
from shared.database.residual_search import SearchResult, search
from shared.http.dependencies import Operator, Tenant


class ResidualSearch(BaseModel):
    """The address to search for."""

    address: str


def routes(pool: Callable[[], Awaitable[Pool]]) -> APIRouter:
    """Return the route that searches the tables behind a pool."""
    router = APIRouter(prefix="/v1", tags=["erasures"])

    @router.post("/residual-searches")
    async def search_residuals(wanted: ResidualSearch, caller: Operator, tenant: Tenant = None) -> SearchResult:
        """Search every table of this service for an address, in whatever form it is written: what an erasure has left.

        Takes as long as reading all tables does. `hashed` are the tables that keep a keyed hash of an erased address.
        """
        owner = caller.tenant_for(tenant)
        async with (await pool()).acquire() as connection:
            return await search(connection, owner, wanted.address)

    return router
