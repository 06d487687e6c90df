"""HTTP: mailings, and who is going to get them."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict

from returpost.contracts import Address, Id, Label, MailingUpsert, Time, ids
from returpost.contracts.cloudevents import event
from services.actions import csv_import
from services.actions.access import Reader, Tenant, Writer, rows
from services.actions.mailings import Q, take_mailings
from services.actions.store import Q as STORE
from shared.http.preconditions import IfMatch, check_version, etag
from shared.messaging.unit_of_work import UnitOfWork

RECIPIENTS_A_TIME = 5_000

router = APIRouter(prefix="/v1", tags=["mailings"])


class MailingBody(BaseModel):
    """What is to be known of a mailing; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "Newsletter 48", "subject": "News of November", "sent_at": "2026-11-24T08:00:00Z"}]
        },
    )

    name: Label | None = None
    subject: Label | None = None
    sent_at: Time | None = None


@router.get("/mailings/{mailing}")
async def mailing(
    request: Request, response: Response, caller: Reader, mailing: Id, tenant: Tenant = None
) -> dict[str, Any]:
    """What is known of a mailing: its name and subject, when it was sent, and the first and last that came of it."""
    found = await rows(request, Q["mailing"], caller.tenant_for(tenant), mailing)
    if not found:
        raise HTTPException(404, f"mailing: {mailing} is not known")
    response.headers["ETag"] = etag(found[0]["version"])
    return found[0]


@router.put("/mailings/{mailing}", status_code=204)
async def put_mailing(
    request: Request, response: Response, caller: Writer, mailing: Id, body: MailingBody, tenant: Tenant = None,
    if_match: IfMatch = None,
) -> None:  # fmt: skip
    """Tell what is known of a mailing."""
    owner = caller.tenant_for(tenant)
    async with request.app.state.service.uow_factory.begin() as work:
        known = await work.connection.fetch(Q["read_mailings"], [owner], [mailing])
        check_version(if_match, known[0]["version"] if known else None)
        told = MailingUpsert(mailing=mailing, time=datetime.now(UTC), **body.model_dump())
        await _take(work, told, caller.name, owner)
        (now,) = await work.connection.fetch(Q["read_mailings"], [owner], [mailing])
        response.headers["ETag"] = etag(now["version"])


@router.put("/mailings/{mailing}/recipients", status_code=204)
async def plan_recipients(
    request: Request,
    caller: Writer,
    mailing: Id,
    addresses: Annotated[list[Address], Body(min_length=1, max_length=100_000, examples=[["ann@example.com"]])],
    tenant: Tenant = None,
) -> None:
    """Name the recipients that a mailing is going to have: they are ready, or blocked, until something is heard."""
    await _plan(request, addresses, caller.name, caller.tenant_for(tenant), mailing)


@router.post("/mailings/{mailing}/recipients/import", openapi_extra=csv_import.BODY)
async def import_recipients(request: Request, caller: Writer, mailing: Id, tenant: Tenant = None) -> dict[str, Any]:
    """Plan the recipients of a CSV (the body). Rows that are wrong are named in the answer, and stop no other."""
    owner, body = caller.tenant_for(tenant), await request.body()
    good, bad = await asyncio.to_thread(lambda: csv_import.column(body, "address"))
    await _plan(request, good, caller.name, owner, mailing)
    what, now = "recipients_imported", datetime.now(UTC)
    await rows(request, STORE["add_audit"], owner, now, caller.name, what, len(good), "", None)
    return csv_import.answer(len(good), bad)


async def _plan(request: Request, addresses: list[str], caller: str, tenant: str, mailing: str) -> None:
    now = datetime.now(UTC)
    for start in range(0, len(addresses), RECIPIENTS_A_TIME):
        part = addresses[start : start + RECIPIENTS_A_TIME]
        async with request.app.state.service.uow_factory.begin() as work:
            await _take(work, MailingUpsert(mailing=mailing, recipients=part, time=now), caller, tenant)


async def _take(work: UnitOfWork, told: MailingUpsert, caller: str, tenant: str) -> None:
    cause = ids.of_content(tenant, told.TYPE, told.model_dump_json())
    await take_mailings([event(told, id=cause, source=f"/users/{caller}", tenant=tenant, subject=told.mailing)], work)
