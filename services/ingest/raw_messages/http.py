"""HTTP: what arrived, as it arrived."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response

from returpost.contracts import Address, Id, Name, RawOutcome
from returpost.contracts.addresses import key
from returpost.errors import InvalidMessage
from services.ingest.raw_messages.domain import unpacked
from services.ingest.raw_messages.repository import Q, RawMessageRepository, Row
from shared.http.auth import Caller, requires

MAX_TEXT = 200_000
"""Characters of a report that its description shows; `/body` has all of it."""
SAFELY = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
"""Strangers wrote it: no browser may take it for a page."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    store: RawMessageRepository | None = app.state.raw_messages
    if store is not None:
        store.check()
    yield
    if store is not None:
        await store.close()


router = APIRouter(prefix="/v1/raw-messages", tags=["raw messages"], lifespan=_lifespan)
Reader = Annotated[Caller, Depends(requires("read"))]
Tenant = Annotated[Name | None, Query()]


@router.get("")
async def listed(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    outcome: RawOutcome | None = None,
    source: Name | None = None,
    address: Address | None = None,
    mailing: Id | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: str | None = None,
) -> dict[str, Any]:
    """List reports without their bodies, the newest first: of an address (in a mailing), or those nobody could read.

    `next` is what to give as `after` for the rest; without it there is no more.
    """
    if mailing is not None and address is None:
        raise InvalidMessage("mailing: goes with an address")
    time, last = _place(after)
    rows = await (await _store(request).pool()).fetch(
        Q["page"], caller.tenant_for(tenant), outcome, source, None if address is None else key(address), mailing,
        time, last, limit + 1,
    )  # fmt: skip
    page: dict[str, Any] = {"reports": [_described(row) for row in rows[:limit]]}
    if len(rows) > limit:
        page["next"] = f"{rows[limit - 1]['received_at'].isoformat()}_{rows[limit - 1]['id']}"
    return page


@router.get("/{id}")
async def shown(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> dict[str, Any]:
    """Show a report by its own id or that of any event that was made of it, with the beginning of its text."""
    row, body = await _found(request, caller.tenant_for(tenant), id)
    mentions = await (await _store(request).pool()).fetch(Q["mentioned"], row["id"])
    text = body.decode("utf-8", "replace")
    about = [{"address": m["address"], "mailing": m["mailing"], "events": m["events"]} for m in mentions]
    return _described(row) | {"about": about, "text": text[:MAX_TEXT], "cut": len(text) > MAX_TEXT}


@router.get("/{id}/body", response_class=Response)
async def body(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> Response:
    """Return the exact bytes that arrived."""
    row, found = await _found(request, caller.tenant_for(tenant), id)
    return Response(found, media_type=row["content_type"], headers=SAFELY)


async def _found(request: Request, tenant: str, id_: UUID) -> tuple[Row, bytes]:
    row = await (await _store(request).pool()).fetchrow(Q["find"], tenant, id_)
    if row is None:
        raise HTTPException(404, "nothing is kept of it: it came as a delivery result, or its time is over")
    try:
        return row, unpacked(row["body"])
    except zlib.error as error:
        raise HTTPException(500, "the report is damaged") from error


def _store(request: Request) -> RawMessageRepository:
    store: RawMessageRepository | None = request.app.state.raw_messages
    if store is None:
        raise HTTPException(404, "raw messages are not kept here: RETURPOST_INGEST_RAW_MESSAGES_KEEP is zero")
    return store


def _described(row: Row) -> dict[str, Any]:
    names = ("id", "received_at", "source", "outcome", "problem", "content_type", "size")
    return {name: row[name] for name in names}


def _place(after: str | None) -> tuple[datetime | None, UUID | None]:
    if after is None:
        return None, None
    time, _, id_ = after.partition("_")
    try:
        return datetime.fromisoformat(time), UUID(id_)
    except ValueError:
        raise InvalidMessage("after: not the `next` of a page") from None
