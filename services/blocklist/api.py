"""HTTP: whom to skip, who is blocked and why, block and clear by hand, the tenant's settings."""

import base64
import binascii
from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, field_validator

from services.blocklist import explanation, store, tenant_settings
from services.blocklist.commands import take_clears, take_sets
from services.blocklist.policy import Effect
from services.blocklist.store import Q
from shared import ids
from shared.addresses import key, normalise
from shared.cloudevents import event
from shared.contracts import BlockClear, BlockSet, Name, Text
from shared.errors import InvalidAddress, InvalidMessage
from shared.security import Caller, requires
from shared.vocabulary import BlockCause, Reason

MAX_ADDRESSES = 10_000
MAX_HISTORY = 1_000
MAX_ACCEPTED = 1_000_000

router = APIRouter(prefix="/v1", tags=["blocklist"])
Checker = Annotated[Caller, Depends(requires("check"))]
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Tenant = Annotated[Name | None, Query()]


class Asked(BaseModel):
    """Addresses as anybody writes them."""

    addresses: Annotated[list[str], Field(min_length=1, max_length=MAX_ADDRESSES)]


class Skip(BaseModel):
    """One address to skip, as it was asked for."""

    address: str
    cause: BlockCause
    reason: Reason | None
    since: datetime


class Invalid(BaseModel):
    """One that is no address; mailing it is of no use."""

    address: str
    problem: str


class Checked(BaseModel):
    """Whom to skip; all others may be mailed."""

    skip: list[Skip]
    invalid: list[Invalid]


class Said(Asked):
    """A command on addresses."""

    note: Annotated[Text, Field(max_length=1_000)] = ""


class Change(BaseModel, extra="forbid"):
    """New settings; what is left out stays."""

    accepted_bounces: Annotated[int, Field(ge=0, le=MAX_ACCEPTED)] | None = None
    reasons: dict[Reason, Effect] = Field(default_factory=dict)


class Filter(BaseModel):
    """Which blocks to list."""

    cause: BlockCause | None = None
    reason: Reason | None = None
    domain: Annotated[Text, Field(max_length=253)] | None = None
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100

    @field_validator("domain")
    @classmethod
    def _as_stored(cls, domain: str | None) -> str | None:
        return None if domain is None else normalise(f"x@{domain}").partition("@")[2]


@router.post("/check")
async def check(request: Request, caller: Checker, asked: Asked, tenant: Tenant = None) -> Checked:
    """Ask before a mailing whom to skip, and why."""
    owner = caller.tenant_for(tenant)
    forms, invalid = _read(asked.addresses)
    rows = await request.app.state.service.pool.fetch(Q["check"], owner, list(forms))
    skip = [
        Skip.model_construct(
            address=form,
            cause=BlockCause(row["cause"]),
            reason=row["reason"] and Reason(row["reason"]),
            since=row["since"],
        )
        for row in rows
        for form in forms[row["address"]]
    ]
    return Checked.model_construct(skip=skip, invalid=invalid)


@router.get("/blocks")
async def blocks(
    request: Request, caller: Reader, wanted: Annotated[Filter, Query()], tenant: Tenant = None
) -> dict[str, Any]:
    """A page of blocked addresses, newest first; `next` is what to give as `after` for the page that follows."""
    owner = caller.tenant_for(tenant)
    since, address = _position(wanted.after)
    rows = await request.app.state.service.pool.fetch(
        Q["list_blocks"], owner, since, address, wanted.cause, wanted.reason, wanted.domain, wanted.limit
    )
    last = rows[-1] if len(rows) == wanted.limit else None
    return {"blocks": [dict(row) for row in rows], "next": last and _mark(last["since"], last["address"])}


@router.get("/counts")
async def counts(request: Request, caller: Reader, tenant: Tenant = None) -> list[dict[str, Any]]:
    """Blocked addresses by cause and reason, most first."""
    rows = await request.app.state.service.pool.fetch(Q["count_blocks"], caller.tenant_for(tenant))
    return [dict(row) for row in rows]


@router.get("/addresses/{address:path}")
async def address_state(request: Request, caller: Reader, address: str, tenant: Tenant = None) -> dict[str, Any]:
    """All that is known of one address: its standing, why, and its history, newest first."""
    place = (caller.tenant_for(tenant), key(normalise(address)))
    pool = request.app.state.service.pool
    # One moment for all: standing and history must not be of before and after a bounce.
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        known = (await store.known(connection, [place])).get(place)
        row = await connection.fetchrow(Q["address"], *place)
        policy = store.policy_of(await connection.fetchrow(Q["settings"], [place[0]]))
        history = await connection.fetch(Q["history"], *place, MAX_HISTORY)
    return explanation.of_address(place[1], known, row, history, policy)


@router.post("/blocks", status_code=202)
async def block(request: Request, caller: Writer, said: Said, tenant: Tenant = None) -> dict[str, int]:
    """Block addresses by hand, until they are cleared."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    data = BlockSet(addresses=said.addresses, time=now, by=caller.name, note=said.note)
    command = event(data, id=_identity(owner, data), source=f"/callers/{caller.name}", tenant=owner)
    service = request.app.state.service
    async with service.effects.begin() as work:
        await take_sets([command], work, request.app.state.clock, service.settings.clock_tolerance)
    return {"addresses": len(data.addresses)}


@router.post("/blocks/clear", status_code=202)
async def clear(request: Request, caller: Writer, said: Said, tenant: Tenant = None) -> dict[str, int]:
    """Clear bounce-flag: lift the blocks, zero the counts, keep the history."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    data = BlockClear(addresses=said.addresses, time=now, by=caller.name, note=said.note)
    command = event(data, id=_identity(owner, data), source=f"/callers/{caller.name}", tenant=owner)
    service = request.app.state.service
    async with service.effects.begin() as work:
        await take_clears([command], work, request.app.state.clock, service.settings.clock_tolerance)
    return {"addresses": len(data.addresses)}


@router.get("/settings")
async def settings(request: Request, caller: Reader, tenant: Tenant = None) -> dict[str, Any]:
    """The tenant's settings, and how far the last change has been applied."""
    owner = caller.tenant_for(tenant)
    async with request.app.state.service.pool.acquire() as connection:
        return await _settings(connection, owner)


@router.put("/settings")
async def change_settings(request: Request, caller: Writer, change: Change, tenant: Tenant = None) -> dict[str, Any]:
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
    policy = store.policy_of(row)
    return {
        "accepted_bounces": policy.accepted_bounces,
        "reasons": dict(policy.effects),
        "version": row["version"] if row else 0,
        "changed_at": row["changed_at"] if row else None,
        "changed_by": row["changed_by"] if row else None,
        "applied": dict(reassessment) if reassessment else None,
    }


def _read(addresses: list[str]) -> tuple[dict[str, list[str]], list[Invalid]]:
    """Return the forms in which each address was asked for, by its key, and what is no address."""
    forms: dict[str, list[str]] = defaultdict(list)
    invalid: list[Invalid] = []
    for written in dict.fromkeys(addresses):
        try:
            forms[key(normalise(written))].append(written)
        except InvalidAddress as error:
            invalid.append(Invalid.model_construct(address=written, problem=str(error)))
    return forms, invalid


def _identity(tenant: str, data: BlockSet | BlockClear) -> str:
    return ids.of_content(data.TYPE, tenant, data.by, data.time, *data.addresses)


def _mark(since: datetime, address: str) -> str:
    return base64.urlsafe_b64encode(f"{since.isoformat()} {address}".encode()).decode()


def _position(mark: str | None) -> tuple[datetime | None, str | None]:
    if mark is None:
        return None, None
    try:
        since, _, address = base64.urlsafe_b64decode(mark).decode().partition(" ")
        return datetime.fromisoformat(since), address
    except (binascii.Error, ValueError):
        raise InvalidMessage("after: not a mark that a page gave as `next`") from None
