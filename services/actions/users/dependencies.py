"""What the routes of users share: whose session it is, and how proofs of who one is are checked."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query, Request

from returpost.contracts import Name
from services.actions.users import attempts, repository
from services.actions.users.attempts import Hashing
from shared.http.auth import ALL_TENANTS, Caller, requires

Anybody = Annotated[Caller, Depends(requires("read"))]
Tenant = Annotated[Name | Literal["*"] | None, Query()]


def scope_of(caller: Caller, tenant: str | None) -> str | None:
    """Return the tenant whose users are meant; nothing: those of all."""
    if caller.tenant == ALL_TENANTS:
        return tenant
    return caller.tenant_for(tenant)


def attempt_of(request: Request, name: str, now: datetime) -> AbstractAsyncContextManager[attempts.Attempt]:
    """Check a proof of this name, as `attempts.attempt` does."""
    service = request.app.state.service
    address = attempts.address_of(request, service.settings.trusted_proxies)
    return attempts.attempt(service.pool, name, address, now)


async def user_of(request: Request, caller: Caller) -> repository.User | None:
    """Return whose session it is; nothing for another token, though it may be named as a user is."""
    pool = request.app.state.service.pool
    token = await repository.find_token(pool, UUID(caller.token)) if caller.token else None
    return await repository.find_user(pool, caller.name) if token and token.kind == "session" else None


def hashing(request: Request) -> Hashing:
    """Return what works password hashes out."""
    found: Hashing = request.app.state.hashing
    return found
