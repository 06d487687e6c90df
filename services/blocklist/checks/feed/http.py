"""The feed over HTTP: pages of JSON, with or without waiting for news, and server-sent events."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from returpost.contracts.enums import BlockCause, Reason, UnblockCause
from services.blocklist.checks.feed.reader import FeedPage, FeedReader, Place, event_of, place_of
from shared.http.dependencies import Checker, Tenant

MAX_EVENTS = 10_000
KEEP_ALIVE = 15.0
"""Seconds without news after which a comment keeps proxies from closing the connection."""
SSE = "text/event-stream"
UNBUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter()


class FeedEvent(BaseModel):
    """What became of one address, or of all of a domain. Keep of each the one with the highest version."""

    type: Literal["address.blocked", "address.unblocked", "domain.blocked", "domain.unblocked"]
    address: str | None = None
    domain: Annotated[str | None, Field(description="`example.com`, or `*.example.com`: all its subdomains")] = None
    version: int
    cause: BlockCause | UnblockCause
    causes: list[BlockCause] = []
    reason: Reason | None = None
    time: datetime | None
    until: datetime | None = None
    mailing: str | None = None
    return_count: int = 0
    streams: list[str] = []
    exempt_streams: list[str] = []
    by: str
    note: str


class FeedPageOut(BaseModel):
    """A part of the feed."""

    events: list[FeedEvent]
    next_after: Annotated[str, Field(description="The cursor: ask with it for what comes after this part")]
    more: Annotated[bool, Field(description="Whether there is more already")]
    reset: Annotated[bool, Field(description="The feed begins anew with this part: replace what you have by it")]


@router.get("/block-events", response_model=FeedPageOut, responses={200: {"content": {SSE: {}}}})
async def block_events(
    request: Request,
    caller: Checker,
    after: Annotated[str, Query(max_length=40, description="`next_after` of the part before")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS)] = 1_000,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for news when there are none")] = 0,
    tenant: Tenant = None,
    accept: Annotated[str, Header()] = "",
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """The tenant's blocks and lifts after a cursor, in their order: of each address, and of each domain, the last.

    As JSON, at once or within `wait` seconds; or with `Accept: text/event-stream` as server-sent events (`blocks`, each
    with the same JSON) for as long as the reader stays, continued by `Last-Event-ID`. It is complete from the first
    block on. When a blocked address was erased since the cursor, the feed begins anew (`reset`): nothing is left that
    could tell which it was.
    """
    owner, reader = caller.tenant_for(tenant), request.app.state.feed
    place = place_of(last_event_id or after)
    if SSE in accept:
        events = _stream(reader, owner, place, limit)
        return StreamingResponse(events, media_type=SSE, headers=UNBUFFERED)
    page: FeedPage = await reader.read(owner, place, limit)
    if not page.rows and not page.reset and wait and await reader.wait_beyond(owner, page.head, wait):
        page = await reader.read(owner, place, limit)
    return Response(_json(page), media_type="application/json")


async def _stream(reader: FeedReader, tenant: str, place: Place, limit: int) -> AsyncIterator[bytes]:
    yield b": connected\n\n"
    while True:
        page = await reader.read(tenant, place, limit)
        if page.rows or page.reset:
            yield b"id: %b\nevent: blocks\ndata: %b\n\n" % (str(page.place).encode(), _json(page))
            place = page.place
        elif not await reader.wait_beyond(tenant, page.head, KEEP_ALIVE):
            yield b": keep-alive\n\n"


def _json(page: FeedPage) -> bytes:
    return orjson.dumps(
        {
            "events": [event_of(row) for row in page.rows],
            "next_after": str(page.place),
            "more": page.place.version < page.head and bool(page.rows),
            "reset": page.reset,
        },
        option=orjson.OPT_UTC_Z,
    )
