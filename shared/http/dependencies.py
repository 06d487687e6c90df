"""What routes ask for: the caller by scope, the tenant, the database of the service."""

from typing import Annotated

from fastapi import Depends, Query, Request

from returpost.contracts import Name
from shared.database.pool import Pool
from shared.http.auth import ADMINISTER, OPERATE, Caller, requires
from shared.messaging.unit_of_work import UnitOfWorkFactory

Checker = Annotated[Caller, Depends(requires("check"))]
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Operator = Annotated[Caller, Depends(requires(OPERATE))]
TenantOperator = Annotated[Caller, Depends(requires(OPERATE, of_one_tenant=True))]
"""An operator of one tenant or of all; the route must show each no other tenant's."""
Administrator = Annotated[Caller, Depends(requires(ADMINISTER))]

Tenant = Annotated[Name | None, Query(description="Required of a token for all tenants")]


async def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.service.pool
    return pool


async def _uow_factory(request: Request) -> UnitOfWorkFactory:
    uow_factory: UnitOfWorkFactory = request.app.state.service.uow_factory
    return uow_factory


Database = Annotated[Pool, Depends(_pool)]
Units = Annotated[UnitOfWorkFactory, Depends(_uow_factory)]
