"""Whose dead letters a request is about, and why it is made."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from returpost.contracts import Title
from services.replay.repository import audit
from services.replay.runner.whole_archive import WholeArchive
from shared.database.pool import Connection, Pool
from shared.http.auth import ALL_TENANTS, Caller
from shared.http.dependencies import Administrator, Tenant, TenantOperator


@dataclass(frozen=True, slots=True)
class Asking:
    """Who operates, and whose dead letters may be seen: one tenant's, or all."""

    caller: Caller
    tenant: str | None
    """None: all tenants'."""

    @property
    def of_all(self) -> bool:
        """Whether the operator is one of all tenants."""
        return self.caller.tenant == ALL_TENANTS

    @property
    def notes(self) -> str:
        """The scope of the notes that this operator shares with others."""
        return self.caller.tenant

    async def audit(self, connection: Connection | Pool, action: str, target: str, why: str, **details: object) -> None:
        """Note what was done, and why."""
        tenant = None if self.of_all else self.caller.tenant
        await audit.insert(connection, action, target, who=self.caller.name, tenant=tenant, why=why, details=details)


async def _asking(caller: TenantOperator, tenant: Tenant = None) -> Asking:
    if caller.tenant == ALL_TENANTS and tenant is None:
        return Asking(caller, None)
    return Asking(caller, caller.tenant_for(tenant))


async def _administering(caller: Administrator, tenant: Tenant = None) -> Asking:
    return await _asking(caller, tenant)


async def _archive(request: Request) -> WholeArchive:
    found: WholeArchive = await request.app.state.archive_reader()
    return found


Archive = Annotated[WholeArchive, Depends(_archive)]
AdministratorAsks = Annotated[Asking, Depends(_administering)]
"""An administrator of one tenant or of all."""
Asks = Annotated[Asking, Depends(_asking)]
"""An operator of one tenant (who sees that tenant's) or of all."""
Why = Annotated[Title, Query(min_length=3, description="Why; it is kept in the audit")]
