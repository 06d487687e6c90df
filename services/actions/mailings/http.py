"""HTTP: mailings, their recipients, and what was returned."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from returpost.contracts import Id, Label, MailingUpsert, Reason, Time, ids
from returpost.contracts.addresses import key, normalise
from returpost.contracts.cloudevents import event
from returpost.errors import InvalidAddress, InvalidMessage
from services.actions.contacts import csv_import
from services.actions.contacts.csv_import import ImportResult
from services.actions.mailings.handlers import upsert_mailings
from services.actions.mailings.repository import mailings as mailing_rows, recipients as recipient_rows
from services.actions.operations.repository.audit import AuditEntry, add_audit
from shared.http.dependencies import Reader, Tenant, Writer
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, decode_time, encode_cursor
from shared.http.preconditions import IfMatch, check_version, etag
from shared.messaging.unit_of_work import UnitOfWork
from shared.pacing import paced

IMPORT_BATCH = 5_000
"""Recipients in one command."""

Status = Literal[
    "ready", "blocked", "sent", "delivered", "soft_bounced", "hard_bounced", "opened", "complained", "unsubscribed"
]

router = APIRouter(prefix="/v1", tags=["mailings"])


class MailingBody(BaseModel):
    """New values of a mailing; fields that are left out stay."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "Newsletter 48", "subject": "News of November", "sent_at": "2026-11-24T08:00:00Z"}]
        },
    )

    name: Label | None = None
    subject: Label | None = None
    sent_at: Time | None = None


class MailingItem(BaseModel):
    """A mailing with the number of its recipients by status."""

    mailing: str
    first_seen: datetime
    last_seen: datetime
    recipients_removed_at: datetime | None
    """When its recipients were removed, since they were older than they are kept."""
    counts: dict[Status, int]


class MailingDetail(BaseModel):
    """A mailing, with the first and last time at which anything happened to it."""

    mailing: str
    name: str | None
    subject: str | None
    sent_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    recipients_removed_at: datetime | None
    """When its recipients were removed, since they were older than they are kept; its statistics stay."""
    version: int


class Recipient(BaseModel):
    """A recipient of a mailing; reason and what follows it are those of the last return."""

    address: str
    status: Status
    reason: str | None
    exhausted: bool | None
    reply_code: int | None
    enhanced_status: str | None
    diagnostic: str | None
    returned_at: datetime | None
    delivered_at: datetime | None
    blocked: bool


class Return(BaseModel):
    """A recipient whose mail was returned, and whose address it is."""

    mailing: str
    address: str
    returned_at: datetime
    hard: bool
    exhausted: bool
    reason: str
    reply_code: int | None
    enhanced_status: str | None
    diagnostic: str | None
    status: Status
    blocked: bool
    cause: str | None
    return_count: int | None
    contact: str | None
    name: str | None
    company: str | None


@router.get("/mailings")
async def mailings(
    request: Request, caller: Reader, tenant: Tenant = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[MailingItem]:
    """A page of mailings, newest first, with their recipients by status."""
    after = None
    if cursor is not None:
        first_seen, mailing = decode_cursor(cursor, str, str)
        after = (decode_time(first_seen), str(mailing))
    rows = await mailing_rows.page_of_mailings(request.app.state.service.pool, caller.tenant_for(tenant), after, limit)
    last = encode_cursor(rows[-1]["first_seen"].isoformat(), rows[-1]["mailing"]) if len(rows) == limit else None
    return Page[MailingItem].model_validate({"items": rows, "next_cursor": last})


@router.get("/mailings/{mailing}")
async def mailing(
    request: Request, response: Response, caller: Reader, mailing: Id, tenant: Tenant = None
) -> MailingDetail:
    """A mailing: its name and subject, when it was sent, and the first and last time that anything happened."""
    found = await mailing_rows.find_mailing(request.app.state.service.pool, caller.tenant_for(tenant), mailing)
    if found is None:
        raise HTTPException(404, f"mailing: {mailing} is not known")
    response.headers["ETag"] = etag(found["version"])
    return MailingDetail.model_validate(found)


@router.put("/mailings/{mailing}", status_code=204)
async def put_mailing(
    request: Request, response: Response, caller: Writer, mailing: Id, body: MailingBody, tenant: Tenant = None,
    if_match: IfMatch = None,
) -> None:  # fmt: skip
    """Set fields of a mailing."""
    owner = caller.tenant_for(tenant)
    async with request.app.state.service.uow_factory.begin() as work:
        known = (await mailing_rows.lock_mailings(work.connection, [(owner, mailing)])).get((owner, mailing))
        check_version(if_match, known.version if known else None)
        upsert = MailingUpsert(mailing=mailing, time=datetime.now(UTC), **body.model_dump())
        await _apply(work, upsert, caller.name, owner)
        now = await mailing_rows.lock_mailings(work.connection, [(owner, mailing)])
        response.headers["ETag"] = etag(now[owner, mailing].version)


@router.get("/mailings/{mailing}/recipients")
async def recipients(
    request: Request,
    caller: Reader,
    mailing: Id,
    tenant: Tenant = None,
    status: Status | None = None,
    reason: Reason | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Recipient]:
    """A page of the recipients of a mailing by address."""
    (after,) = decode_cursor(cursor, str) if cursor else (None,)
    rows = await recipient_rows.page_of_recipients(
        request.app.state.service.pool,
        caller.tenant_for(tenant),
        mailing,
        None if after is None else str(after),
        status,
        reason,
        limit,
    )
    last = encode_cursor(rows[-1]["address"]) if len(rows) == limit else None
    return Page[Recipient].model_validate({"items": rows, "next_cursor": last})


@router.put("/mailings/{mailing}/recipients", status_code=204)
async def plan_recipients(
    request: Request,
    caller: Writer,
    mailing: Id,
    addresses: Annotated[list[str], Body(min_length=1, max_length=100_000, examples=[["ann@example.com"]])],
    tenant: Tenant = None,
) -> None:
    """Name the recipients that a mailing is going to have: their status is ready, or blocked, until it is sent."""
    owner = caller.tenant_for(tenant)
    await _plan(request, await _normalised(addresses), caller.name, owner, mailing)


@router.post("/mailings/{mailing}/recipients/import", openapi_extra=csv_import.BODY)
async def import_recipients(request: Request, caller: Writer, mailing: Id, tenant: Tenant = None) -> ImportResult:
    """Plan the recipients of a CSV (the body). Rows that are wrong are named; the others are imported."""
    owner, body = caller.tenant_for(tenant), await request.body()
    good, bad = await asyncio.to_thread(lambda: csv_import.column(body, "address"))
    await _plan(request, good, caller.name, owner, mailing)
    entry = AuditEntry(owner, datetime.now(UTC), caller.name, "recipients_imported", len(good))
    await add_audit(request.app.state.service.pool, entry)
    return ImportResult.of(len(good), bad)


@router.get("/returns")
async def returns(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    mailing: Id | None = None,
    hard: bool | None = None,
    reason: Reason | None = None,
    blocked: bool | None = None,
    contact: Annotated[bool | None, Query(description="Whether the address belongs to a contact")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[Return]:
    """A page of what was returned and why, newest first, and whose address it is."""
    before: tuple[datetime | None, str, str] = (None, "", "")
    if cursor is not None:
        time, place, address = decode_cursor(cursor, str, str, str)
        before = (decode_time(time), str(place), str(address))
    owner, filters = caller.tenant_for(tenant), (mailing, hard, reason, blocked, contact)
    pool = request.app.state.service.pool
    rows = await recipient_rows.page_of_returns(pool, owner, filters, before, limit)
    last = rows[-1] if len(rows) == limit else None
    following = last and encode_cursor(last["returned_at"].isoformat(), last["mailing"], key(last["address"]))
    return Page[Return].model_validate({"items": rows, "next_cursor": following})


async def _normalised(addresses: list[str]) -> list[str]:
    """Normalise what may be a hundred thousand. Raises `InvalidMessage` that names the first that is no address."""
    found = list[str]()
    async for address in paced(addresses):
        try:
            found.append(normalise(address))
        except InvalidAddress as error:
            raise InvalidMessage(f"body.{len(found)}: {error}") from None
    return found


async def _plan(request: Request, addresses: list[str], caller: str, tenant: str, mailing: str) -> None:
    now = datetime.now(UTC)
    for start in range(0, len(addresses), IMPORT_BATCH):
        part = addresses[start : start + IMPORT_BATCH]
        async with request.app.state.service.uow_factory.begin() as work:
            await _apply(work, MailingUpsert(mailing=mailing, recipients=part, time=now), caller, tenant)


async def _apply(work: UnitOfWork, upsert: MailingUpsert, caller: str, tenant: str) -> None:
    cause = ids.of_content(tenant, upsert.TYPE, upsert.model_dump_json())
    command = event(upsert, id=cause, source=f"/users/{caller}", tenant=tenant, subject=upsert.mailing)
    await upsert_mailings([command], work)
