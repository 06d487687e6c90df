"""HTTP: contacts."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Address, ContactUpsert, Id, Label, Text, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import ListKind
from services.actions.contacts import csv_import, repository
from services.actions.contacts.collation import order_key, search_query
from services.actions.contacts.contact_queries import ContactQuery, ContactSql, Sort
from services.actions.contacts.csv_import import ImportResult
from services.actions.contacts.handlers import upsert_contacts
from services.actions.operations.repository.audit import AuditEntry, add_audit
from services.actions.views.domain import AddressSearch
from services.actions.views.http import Count, ViewGroups
from services.actions.views.repository import fetch_count, fetch_page, fetch_statement_groups, probe
from services.actions.views.view_queries import MAX_GROUPED_ROWS
from shared.http.auth import Caller
from shared.http.dependencies import Reader, Tenant, Writer
from shared.http.pagination import Cursor, Limit, Page
from shared.http.preconditions import IfMatch, check_version, etag

IMPORT_BATCH = 1_000
MAX_HISTORY = 500

router = APIRouter(prefix="/v1", tags=["contacts"])
NamePart = Annotated[Text, Query(max_length=200, description="A part of the name, in any case and without accents too")]


class ContactBody(BaseModel):
    """New values of a contact; fields that are left out stay."""

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


class ContactAddress(BaseModel):
    """An address of a contact; cause and reason are those of its block."""

    address: str
    blocked: bool
    cause: str | None
    reason: str | None


class ContactBase(BaseModel):
    contact: str
    name: str | None
    company: str | None
    external_id: str | None
    former_employee: bool
    version: int


class ContactItem(ContactBase):
    """A contact in a list."""

    addresses: list[ContactAddress]


class ContactAddressDetail(ContactAddress):
    """An address with its block and the last return that was registered for it."""

    return_count: int | None
    blocked_since: datetime | None
    mailing: str | None
    reply_code: int | None
    enhanced_status: str | None
    diagnostic: str | None
    returned_at: datetime | None


class ContactList(BaseModel):
    """A selection or project that a contact is in."""

    kind: ListKind
    id: str
    name: str | None


class HistoryEntry(BaseModel):
    """What happened to one of the addresses of a contact."""

    time: datetime
    what: str
    address: str
    mailing: str | None
    cause: str | None
    reason: str | None
    rule: str | None
    by: str | None
    note: str | None
    corrected_from: str | None = None
    """Of a correction: what the address was before."""


class ContactDetail(ContactBase):
    """A contact with its addresses, its lists, and its history, newest first."""

    addresses: list[ContactAddressDetail]
    lists: list[ContactList]
    history: list[HistoryEntry]


async def _contact_sql(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    q: NamePart = "",
    contact: Id | None = None,
    former_employee: bool | None = None,
    company: Annotated[
        Text | None, Query(max_length=400, description="`value` of a group of companies, or a name")
    ] = None,
) -> ContactSql:
    """Return the statements of a list of contacts."""
    owner = caller.tenant_for(tenant)
    asked = AddressSearch.of(q)
    query = ContactQuery(
        tenant=owner,
        contact=contact,
        former_employee=former_employee,
        address_prefix=asked.begins,
        address_part=asked.inside,
        company=order_key(company),
        words=search_query(owner, q) if asked.has_words else None,
    )
    return await probe(request.app.state.service.pool, ContactSql(query))


Filtered = Annotated[ContactSql, Depends(_contact_sql)]


@router.get("/contacts")
async def contacts(
    request: Request,
    query: Filtered,
    sort: Sort = Sort.CONTACT,
    descending: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[ContactItem]:
    """A page of contacts, or one of them, with their addresses and the block state of each.

    `q` finds contacts of whom a word of name, company or external id begins with each word of it, and those of whom an
    address begins with it; after `@` those of whom a domain begins with it, after `*` those with it in an address.
    Contacts without a value of the sort column come last, in either direction.
    """
    rows, next_cursor = await fetch_page(
        request.app.state.service.pool, query, sort, descending=descending, cursor=cursor, limit=limit
    )
    return Page[ContactItem].model_validate(
        {"items": [repository.with_addresses(row) for row in rows], "next_cursor": next_cursor}
    )


@router.get("/count/contacts")
async def contacts_count(request: Request, query: Filtered) -> Count:
    """How many contacts there are: exact up to 10,000, else `exact` is false and there are more."""
    number, exact = await fetch_count(request.app.state.service.pool, query)
    return Count(count=number, exact=exact)


@router.get("/groups/contacts")
async def contacts_groups(request: Request, query: Filtered) -> ViewGroups:
    """Companies with how many contacts each has, the largest first; `value` opens one as a filter.

    Not exact above 100,000 contacts.
    """
    found, exact = await fetch_statement_groups(request.app.state.service.pool, query.groups(), MAX_GROUPED_ROWS)
    return ViewGroups.model_validate({"groups": found, "exact": exact})


@router.get("/contacts/{contact}")
async def contact(
    request: Request, caller: Reader, contact: Id, response: Response, tenant: Tenant = None
) -> ContactDetail:
    """One contact: its addresses with block state and cause, its lists, and its history, newest first."""
    owner = caller.tenant_for(tenant)
    found = await repository.find_contact(request.app.state.service.pool, owner, contact, MAX_HISTORY)
    if found is None:
        raise HTTPException(404, f"contact: {contact} is not known")
    response.headers["ETag"] = etag(found["version"])
    return ContactDetail.model_validate(found)


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
    """Set fields of a contact."""
    owner = caller.tenant_for(tenant)
    upsert = ContactUpsert(contact=contact, time=datetime.now(UTC), **body.model_dump())
    async with request.app.state.service.uow_factory.begin() as work:
        if if_match is not None:
            check_version(if_match, await repository.lock_version(work.connection, owner, contact))
        await upsert_contacts([_command(upsert, caller, owner)], work)
        response.headers["ETag"] = etag(await repository.version(work.connection, owner, contact) or 0)


@router.post("/contacts/import", openapi_extra=csv_import.BODY)
async def import_contacts(request: Request, caller: Writer, tenant: Tenant = None) -> ImportResult:
    """Import contacts from CSV (the body). Rows that are wrong are named in the answer; the others are imported."""
    owner, now, body = caller.tenant_for(tenant), datetime.now(UTC), await request.body()
    # Reading 200 000 rows takes seconds, in which the consumers of this process go on.
    items = await asyncio.to_thread(lambda: list(csv_import.read(body, now)))
    bad = [item for item in items if isinstance(item, csv_import.BadRow)]
    upserts = [_command(item, caller, owner) for item in items if isinstance(item, ContactUpsert)]
    service = request.app.state.service
    for start in range(0, len(upserts), IMPORT_BATCH):
        async with service.uow_factory.begin() as work:
            await upsert_contacts(upserts[start : start + IMPORT_BATCH], work)
    await add_audit(service.pool, AuditEntry(owner, now, caller.name, "contacts_imported", len(upserts)))
    return ImportResult.of(len(upserts), bad)


def _command(upsert: ContactUpsert, caller: Caller, tenant: str) -> Event[ContactUpsert]:
    identity = ids.of_content(tenant, upsert.model_dump_json())
    return event(upsert, id=identity, source=f"/users/{caller.name}", tenant=tenant, subject=upsert.contact)
