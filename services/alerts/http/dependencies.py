"""Whose channels and alerts a request is about."""

from fastapi import HTTPException

from returpost.contracts.routing import PLATFORM
from shared.http.auth import ALL_TENANTS, Caller


def owner_of(caller: Caller, named: str | None) -> str:
    """Return the tenant. The channels of the installation take a token for all tenants: they are told of all.

    Raises HTTP 400 and 403.
    """
    owner = caller.tenant_for(named)
    if owner == PLATFORM and caller.tenant != ALL_TENANTS:
        raise HTTPException(403, f"tenant: {PLATFORM} takes a token for all tenants")
    return owner
