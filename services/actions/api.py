"""HTTP: mailings and their recipients, what was returned and why, contacts, the audit."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.actions import csv_import, store
from services.actions.contacts import take_contacts
from services.actions.store import Q, Row
from shared import ids
from shared.addresses import key
from shared.cloudevents import Event, event
from shared.contracts import Address, ContactUpserted, Id, Name, Reason, Text, Time
from shared.security import Caller, requires

PAGE = Query(ge=1, le=1000)
OFFSET = Query(ge=0, le=1_000_000)
IMPORT_BATCH = 1_000
MAX_BAD_ROWS = 100

Status = Literal[
    "ready", "blocked", "sent", "delivered", "soft_bounced", "hard_bounced", "opened", "complained", "unsubscribed"
]

router = APIRouter(prefix="/v1", tags=["actions"])
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Tenant = Annotated[Name | None, Query()]


class ContactBody(BaseModel):
    """What is to be known of a contact; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(max_length=400)] | None = None
    company: Annotated[Text, Field(max_length=400)] | None = None
    addresses: Annotated[list[Address], Field(max_length=100)] | None = None


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


@router.put("/mailings/{mailing}/recipients", status_code=204)
async def plan_recipients(
    request: Request,
    caller: Writer,
    mailing: Id,
    addresses: Annotated[list[Address], Body(min_length=1, max_length=100_000)],
    tenant: Tenant = None,
) -> None:
    """Name the recipients that a mailing is going to have: they are ready, or blocked, until something is heard."""
    owner, now = caller.tenant_for(tenant), datetime.now(UTC)
    async with request.app.state.service.effects.begin() as work:
        keys = sorted({key(address) for address in addresses})
        await store.erased(work.connection, ())  # no erasure may come in between
        await work.connection.execute(Q["plan_recipients"], owner, mailing, keys)
        await work.connection.execute(Q["see_mailings"], [owner], [mailing], [now], [now])


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


@router.get("/contacts")
async def contacts(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    contact: Id | None = None,
    after: Text | None = None,
    limit: Annotated[int, PAGE] = 100,
) -> dict[str, Any]:
    """A page of contacts, or one of them, with their addresses and the block state of each."""
    found = await _rows(request, "list_contacts", caller.tenant_for(tenant), after, contact, limit)
    page = [row | {"addresses": json.loads(row["addresses"])} for row in found]
    return {"contacts": page, "next": page[-1]["contact"] if len(page) == limit else None}


@router.put("/contacts/{contact}", status_code=204)
async def put_contact(request: Request, caller: Writer, contact: Id, body: ContactBody, tenant: Tenant = None) -> None:
    """Tell what is known of a contact."""
    told = ContactUpserted(contact=contact, time=datetime.now(UTC), **body.model_dump())
    await _upsert(request, [_told(told, caller, caller.tenant_for(tenant))])


@router.post("/contacts/import")
async def import_contacts(request: Request, caller: Writer, tenant: Tenant = None) -> dict[str, Any]:
    """Import contacts from CSV (the body). Rows that are wrong are named in the answer, and stop no other."""
    owner, now, body = caller.tenant_for(tenant), datetime.now(UTC), await request.body()
    # Reading 200 000 rows takes seconds, in which the consumers of this process go on.
    items = await asyncio.to_thread(lambda: list(csv_import.read(body, now)))
    bad = [item for item in items if isinstance(item, csv_import.BadRow)]
    told = [_told(item, caller, owner) for item in items if isinstance(item, ContactUpserted)]
    for start in range(0, len(told), IMPORT_BATCH):
        await _upsert(request, told[start : start + IMPORT_BATCH])
    await _rows(request, "add_audit", owner, now, caller.name, "contacts_imported", len(told), "", None)
    errors = [{"line": row.line, "problem": row.problem} for row in bad[:MAX_BAD_ROWS]]
    return {"imported": len(told), "refused": len(bad), "errors": errors}


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


async def _upsert(request: Request, told: list[Event[ContactUpserted]]) -> None:
    async with request.app.state.service.effects.begin() as work:
        await take_contacts(told, work)


def _told(told: ContactUpserted, caller: Caller, tenant: str) -> Event[ContactUpserted]:
    identity = ids.of_content(tenant, told.model_dump_json())
    return event(told, id=identity, source=f"/users/{caller.name}", tenant=tenant, subject=told.contact)
