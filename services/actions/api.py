"""HTTP: mailings and their recipients, what was returned and why, contacts, the audit."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request

from returpost.contracts import Id, Name, Reason, Text, Time
from returpost.contracts.addresses import key
from services.actions.store import Q, Row
from shared.http.auth import Caller, requires

PAGE = Query(ge=1, le=1000)
OFFSET = Query(ge=0, le=1_000_000)

Status = Literal[
    "ready", "blocked", "sent", "delivered", "soft_bounced", "hard_bounced", "opened", "complained", "unsubscribed"
]

router = APIRouter(prefix="/v1", tags=["actions"])
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Tenant = Annotated[Name | None, Query()]


async def _rows(request: Request, name: str, *arguments: Any) -> list[dict[str, Any]]:
    rows: list[Row] = await request.app.state.service.pool.fetch(Q[name], *arguments)
    return [dict(row) for row in rows]


@router.get("/mailings")
async def mailings(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    limit: Annotated[int, PAGE] = 50,
    offset: Annotated[int, OFFSET] = 0,
) -> list[dict[str, Any]]:
    """Mailings, newest first, with their recipients by status."""
    found = await _rows(request, "list_mailings", caller.tenant_for(tenant), None, limit, offset)
    return [mailing | {"counts": json.loads(mailing["counts"] or "{}")} for mailing in found]


@router.get("/mailings/{mailing}/recipients")
async def recipients(
    request: Request,
    caller: Reader,
    mailing: Id,
    tenant: Tenant = None,
    status: Status | None = None,
    reason: Reason | None = None,
    after: Text | None = None,
    limit: Annotated[int, PAGE] = 100,
) -> dict[str, Any]:
    """A page of the recipients of a mailing by address; `next` is what to give as `after` for the following page."""
    owner = caller.tenant_for(tenant)
    found = await _rows(request, "list_recipients", owner, mailing, after, status, reason, limit)
    return {"recipients": found, "next": found[-1]["address"] if len(found) == limit else None}


@router.get("/returns")
async def returns(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    mailing: Id | None = None,
    hard: bool | None = None,
    reason: Reason | None = None,
    blocked: bool | None = None,
    contact: bool | None = None,
    before: Annotated[Time | None, Query(description="with `before_mailing` and `before_address`")] = None,
    before_mailing: Text = "",
    before_address: Text = "",
    limit: Annotated[int, PAGE] = 100,
) -> dict[str, Any]:
    """What was returned and why, newest first, and whose it is; `next` holds the parameters of the next page."""
    owner = caller.tenant_for(tenant)
    found = await _rows(
        request, "list_returns", owner, mailing, hard, reason, blocked, contact,
        before, before_mailing, before_address, limit,
    )  # fmt: skip
    last = found[-1] if len(found) == limit else None
    following = last and {
        "before": last["returned_at"], "before_mailing": last["mailing"], "before_address": key(last["address"]),
    }  # fmt: skip
    return {"returns": found, "next": following}


@router.get("/audit")
async def audit(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, PAGE] = 100,
) -> list[dict[str, Any]]:
    """Who did what to how many, newest first."""
    found = await _rows(request, "list_audit", caller.tenant_for(tenant), before, limit)
    return [row | {"chosen": json.loads(row["chosen"])} for row in found]
