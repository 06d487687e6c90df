"""The tenant's settings."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.blocklist import policies, tenant_settings
from services.blocklist.api.access import Administrator, Reader, Tenant
from services.blocklist.policies import Q
from services.blocklist.policy import Effect
from shared.vocabulary import Reason

MAX_ACCEPTED = 1_000_000

router = APIRouter()


class Change(BaseModel, extra="forbid"):
    """New settings; what is left out stays."""

    accepted_bounces: Annotated[int, Field(ge=0, le=MAX_ACCEPTED)] | None = None
    reasons: dict[Reason, Effect] = Field(default_factory=dict)


@router.get("/settings")
async def settings(request: Request, caller: Reader, tenant: Tenant = None) -> dict[str, Any]:
    """The tenant's settings, and how far the last change has been applied."""
    owner = caller.tenant_for(tenant)
    async with request.app.state.service.pool.acquire() as connection:
        return await _settings(connection, owner)


@router.put("/settings")
async def change_settings(
    request: Request, caller: Administrator, change: Change, tenant: Tenant = None
) -> dict[str, Any]:
    """Change settings. What comes in is judged by them at once; all addresses follow in the background."""
    owner, state = caller.tenant_for(tenant), request.app.state
    wanted = tenant_settings.Change(change.accepted_bounces, change.reasons)
    async with state.service.effects.begin() as work:
        await tenant_settings.save(work, owner, wanted, caller.name, state.clock())
        answer = await _settings(work.connection, owner)
    state.settings_changed.set()
    return answer


async def _settings(connection: Any, owner: str) -> dict[str, Any]:
    row = await connection.fetchrow(Q["settings"], [owner])
    reassessment = await connection.fetchrow(Q["reassessment"], owner)
    policy = policies.policy_of(row)
    return {
        "accepted_bounces": policy.accepted_bounces,
        "reasons": dict(policy.effects),
        "version": row["version"] if row else 0,
        "changed_at": row["changed_at"] if row else None,
        "changed_by": row["changed_by"] if row else None,
        "applied": dict(reassessment) if reassessment else None,
    }
