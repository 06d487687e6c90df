"""HTTP: contacts."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Address, ContactUpsert, Id, Label, Text, ids
from returpost.contracts.cloudevents import Event, event
from services.actions import csv_import, paging, text
from services.actions.access import PAGE, Reader, Tenant, Typed, Writer, each, rows
from services.actions.contact_list import Plan, Sort, Wanted
from services.actions.contacts import Q, take_contacts
from services.actions.store import Q as STORE
from shared.http.auth import Caller
from shared.http.preconditions import IfMatch, check_version, etag

IMPORT_BATCH = 1_000
MAX_HISTORY = 500

router = APIRouter(prefix="/v1", tags=["contacts"])


class ContactBody(BaseModel):
    """What is to be known of a contact; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "Ann Berg", "company": "X AS", "addresses": ["ann@example.com", "a.berg@example.com"]}
            ]
        },
    )

    name: Label | None = None
    company: Label | None = None
    external_id: Label | None = None
    former_employee: bool | None = None
    addresses: Annotated[list[Address], Field(max_length=100)] | None = None


async def _wanted(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    q: Typed = "",
    contact: Id | None = None,
    former_employee: bool | None = None,
) -> Plan:
    """Return which contacts are asked for."""
    owner = caller.tenant_for(tenant)
    plan = Plan(Wanted(owner, contact, former_employee, q.strip().lower() or None, text.query(owner, q)))
    if search := plan.found():
        (found,) = await rows(request, search.sql, *search.arguments)
        plan.number = found["count"]
    return plan


Asked = Annotated[Plan, Depends(_wanted)]


@router.get("/contacts")
async def contacts(
    request: Request,
    plan: Asked,
    sort: Sort = Sort.CONTACT,
    descending: bool = False,
    after: Annotated[Text | None, Query(max_length=8_000, description="`next` of the page before")] = None,
    limit: Annotated[int, PAGE] = 100,
) -> dict[str, Any]:
    """A page of contacts, or one of them, with their addresses and the block state of each.

    `q` finds contacts of whom a word of name, company or external id begins with each word typed, and those of whom an
    address begins with it. Those without a value of what is sorted by come last, in either direction.
    """
    found, following = await paging.page(
        request, plan.phases(sort), after, limit, lambda place: plan.page(sort, place, descending=descending)
    )
    return {"contacts": [row | {"addresses": json.loads(row["addresses"])} for row in found], "next": following}


@router.get("/count/contacts")
async def contacts_count(request: Request, plan: Asked) -> dict[str, Any]:
    """How many contacts there are: exact up to 10,000, else `exact` is false and there are more."""
    return await paging.count(request, plan.count())


@router.get("/contacts/{contact}")
async def contact(
    request: Request, caller: Reader, contact: Id, response: Response, tenant: Tenant = None
) -> dict[str, Any]:
    """One contact: its addresses with block state and cause, the lists it is in, and what happened, newest first."""
    owner = caller.tenant_for(tenant)
    found, addresses, lists, history = await each(
        request,
        (Q["contact"], owner, contact),
        (Q["addresses_of"], owner, contact),
        (Q["lists_of"], owner, contact),
        (Q["history"], owner, contact, MAX_HISTORY),
    )
    if not found:
        raise HTTPException(404, f"contact: {contact} is not known")
    response.headers["ETag"] = etag(found[0]["version"])
    return found[0] | {"addresses": addresses, "lists": lists, "history": history}


@router.put("/contacts/{contact}", status_code=204)
async def put_contact(
    request: Request,
    response: Response,
    caller: Writer,
    contact: Id,
    body: ContactBody,
    tenant: Tenant = None,
    if_match: IfMatch = None,
) -> None:
    """Tell what is known of a contact."""
    owner = caller.tenant_for(tenant)
    told = ContactUpsert(contact=contact, time=datetime.now(UTC), **body.model_dump())
    async with request.app.state.service.uow_factory.begin() as work:
        if if_match is not None:
            await work.connection.execute(Q["hold_contacts"], [owner], [contact])
            known = await work.connection.fetchrow(Q["contact"], owner, contact)
            check_version(if_match, known["version"] if known else None)
        await take_contacts([_told(told, caller, owner)], work)
        now = await work.connection.fetchrow(Q["contact"], owner, contact)
        response.headers["ETag"] = etag(now["version"])


@router.post("/contacts/import", openapi_extra=csv_import.BODY)
async def import_contacts(request: Request, caller: Writer, tenant: Tenant = None) -> dict[str, Any]:
    """Import contacts from CSV (the body). Rows that are wrong are named in the answer, and stop no other."""
    owner, now, body = caller.tenant_for(tenant), datetime.now(UTC), await request.body()
    # Reading 200 000 rows takes seconds, in which the consumers of this process go on.
    items = await asyncio.to_thread(lambda: list(csv_import.read(body, now)))
    bad = [item for item in items if isinstance(item, csv_import.BadRow)]
    told = [_told(item, caller, owner) for item in items if isinstance(item, ContactUpsert)]
    for start in range(0, len(told), IMPORT_BATCH):
        async with request.app.state.service.uow_factory.begin() as work:
            await take_contacts(told[start : start + IMPORT_BATCH], work)
    await rows(request, STORE["add_audit"], owner, now, caller.name, "contacts_imported", len(told), "", None)
    return csv_import.answer(len(told), bad)


def _told(told: ContactUpsert, caller: Caller, tenant: str) -> Event[ContactUpsert]:
    identity = ids.of_content(tenant, told.model_dump_json())
    return event(told, id=identity, source=f"/users/{caller.name}", tenant=tenant, subject=told.contact)
