"""HTTP: what arrived, as it arrived."""

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request, Response
from pydantic import BaseModel

from returpost.contracts import Address, Id, Name, RawOutcome
from returpost.contracts.addresses import key
from returpost.errors import InvalidMessage
from services.ingest.raw_messages.domain import unpacked
from services.ingest.raw_messages.repository import Filter, RawMessageRepository, Row
from shared.http.dependencies import Reader, Tenant
from shared.http.pagination import INVALID, Cursor, Page, decode_cursor, encode_cursor

MAX_TEXT = 200_000
"""Characters of a message that its description shows; `/body` has all of it."""
SAFELY = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
"""Strangers wrote it: no browser may take it for a page."""


class RawMessageSummary(BaseModel):
    """A mail or an event of a webhook, without its body."""

    id: UUID
    received_at: datetime
    source: str
    """A mail source, or the name of a provider."""
    outcome: RawOutcome
    problem: str
    content_type: str
    size: int
    """Bytes, as it arrived."""


class MentionDetails(BaseModel):
    """Whom a message is about."""

    address: str
    mailing: str
    events: list[UUID]
    """Ids of the events that were made of it."""


class RawMessageDetails(RawMessageSummary):
    """A message with the beginning of its text."""

    about: list[MentionDetails]
    text: str
    cut: bool
    """The text is longer: `/body` has all of it."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    repository: RawMessageRepository | None = app.state.raw_messages
    if repository is not None:
        repository.check()
    yield
    if repository is not None:
        await repository.close()


router = APIRouter(prefix="/v1/raw-messages", tags=["raw messages"], lifespan=_lifespan)


@router.get("")
async def list_raw_messages(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    outcome: RawOutcome | None = None,
    source: Name | None = None,
    address: Address | None = None,
    mailing: Id | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
) -> Page[RawMessageSummary]:
    """List messages without their bodies, the newest first: of an address (in a mailing), or unreadable ones."""
    if mailing is not None and address is None:
        raise InvalidMessage("mailing: goes with an address")
    wanted = Filter(outcome, source, None if address is None else key(address), mailing)
    owner, before = caller.tenant_for(tenant), _position(cursor)
    rows = await _repository(request).list_page(owner, wanted, before, limit + 1)
    items = [_summary(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items=items)
    return Page(items=items, next_cursor=encode_cursor(items[-1].received_at.isoformat(), str(items[-1].id)))


@router.get("/{id}")
async def show_raw_message(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> RawMessageDetails:
    """Show a message by its own id or that of any event that was made of it, with the beginning of its text."""
    row, body = await _find(request, caller.tenant_for(tenant), id)
    mentions = await _repository(request).mentions(row["id"])
    text = body.decode("utf-8", "replace")
    return RawMessageDetails(
        **_summary(row).__dict__,
        about=[MentionDetails(address=m["address"], mailing=m["mailing"], events=m["events"]) for m in mentions],
        text=text[:MAX_TEXT],
        cut=len(text) > MAX_TEXT,
    )


@router.get("/{id}/body", response_class=Response)
async def download_raw_message(request: Request, caller: Reader, id: UUID, tenant: Tenant = None) -> Response:
    """Return the exact bytes that arrived."""
    row, body = await _find(request, caller.tenant_for(tenant), id)
    return Response(body, media_type=row["content_type"], headers=SAFELY)


async def _find(request: Request, tenant: str, id_: UUID) -> tuple[Row, bytes]:
    row = await _repository(request).find(tenant, id_)
    if row is None:
        raise HTTPException(404, "nothing is kept of it: it came as a delivery result, or its time is over")
    try:
        return row, unpacked(row["body"])
    except zlib.error as error:
        raise HTTPException(500, "the message is damaged") from error


def _repository(request: Request) -> RawMessageRepository:
    repository: RawMessageRepository | None = request.app.state.raw_messages
    if repository is None:
        raise HTTPException(404, "raw messages are not kept here: RETURPOST_INGEST_RAW_MESSAGES_KEEP is zero")
    return repository


def _summary(row: Row) -> RawMessageSummary:
    return RawMessageSummary(**{name: row[name] for name in RawMessageSummary.model_fields})


def _position(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    time, id_ = decode_cursor(cursor, str, str)
    try:
        return datetime.fromisoformat(str(time)), UUID(str(id_))
    except ValueError:
        raise InvalidMessage(INVALID) from None
