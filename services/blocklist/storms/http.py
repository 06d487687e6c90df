"""Storms: what suddenly made most bounces, and what is to become of what it blocked."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, Field

from returpost.contracts import Text
from returpost.errors import InvalidMessage
from services.blocklist.jobs.http import finished
from services.blocklist.storms import repository
from services.blocklist.storms.domain import State
from services.blocklist.storms.repository import Q
from shared.http.callers import Reader, Tenant, Writer

router = APIRouter(prefix="/storms")


class Judgement(BaseModel, extra="forbid"):
    """What is to be done with the bounces of a storm: `lifted` frees all that it blocked since its begin, `held` keeps
    them from counting since it was noticed, `counted` counts them all."""

    state: State
    note: Annotated[Text, Field(max_length=1_000)] = ""


@router.get("")
async def listed(
    request: Request,
    caller: Reader,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    tenant: Tenant = None,
) -> dict[str, Any]:
    """The storms of a tenant, newest first; `next` is what to give as `after` for the page that follows."""
    owner = caller.tenant_for(tenant)
    rows = await request.app.state.service.pool.fetch(Q["storms"], owner, *_position(after), limit)
    last = rows[-1] if len(rows) == limit else None
    mark = last and base64.urlsafe_b64encode(f"{last['begun'].isoformat()} {last['id']}".encode()).decode()
    return {"storms": [dict(row) for row in rows], "next": mark}


@router.get("/{id}")
async def one(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> dict[str, Any]:
    """One storm, and how many addresses are blocked since it began that it may have blocked."""
    row = await request.app.state.service.pool.fetchrow(Q["storm"], caller.tenant_for(tenant), id)
    if row is None:
        raise HTTPException(404, "storm: there is none with this id")
    return dict(row)


@router.post("/{id}", status_code=202)
async def judge(
    request: Request, caller: Writer, id: UUID, judgement: Judgement, tenant: Tenant = None
) -> dict[str, Any]:
    """Lift what a storm blocked, or take that back; answers with the operation that does it."""
    owner, state = caller.tenant_for(tenant), request.app.state
    said = (caller.name, judgement.note)
    async with state.service.uow_factory.begin() as work:
        operation = await repository.judge(work, owner, id, judgement.state, said, state.clock())
    if operation is None:
        raise HTTPException(404, "storm: there is none with this id")
    state.work_requested.set()
    return await finished(request, owner, UUID(operation))


def _position(mark: str | None) -> tuple[datetime | None, UUID | None]:
    if mark is None:
        return None, None
    try:
        time, _, id_ = base64.urlsafe_b64decode(mark).decode().partition(" ")
        return datetime.fromisoformat(time), UUID(id_)
    except (binascii.Error, ValueError):
        raise InvalidMessage("after: not a mark that a page gave as `next`") from None
