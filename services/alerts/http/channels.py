"""Channels to people: add, change, try out, remove, and what was sent."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import uuid4

from asyncpg import Record
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from returpost.contracts import Name
from returpost.errors import InvalidMessage
from services.alerts.domain.channel import Channel, ChannelKind
from services.alerts.http.dependencies import owner_of
from services.alerts.http.models import ChannelChange, ChannelOut, ChannelWithSecret, NewChannel, changed, new_channel
from services.alerts.repository import channels as rows
from services.alerts.repository.rows import channel_of
from shared.http.dependencies import Administrator, Tenant
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor
from shared.http.preconditions import IfMatch, check_version, etag
from shared.outbound import signing
from shared.outbound.ssrf_guard import AllowedDestinations, Forbidden, addresses_of

MAX_CHANNELS = 50
"""Of one tenant."""
MessageState = Literal["open", "sent", "failed"]

router = APIRouter(prefix="/v1/alert-channels", tags=["alerts"])


class TrialResult(BaseModel):
    """What came of a message that only tries out a channel."""

    good: bool
    status: Annotated[int | None, Field(description="Of HTTP, or of SMTP; none when there was no answer")]
    problem: Annotated[str, Field(description="What went wrong, in words")]
    milliseconds: int


class MessageOut(BaseModel):
    """One message, and what became of it."""

    id: str
    state: MessageState
    alerts: int
    formed_at: datetime
    due_at: datetime
    done_at: datetime | None
    attempts: int
    problem: str


@router.get("")
async def list_channels(request: Request, caller: Administrator, tenant: Tenant = None) -> Page[ChannelOut]:
    """The channels of a tenant, on one page; of the tenant `returpost` those of the installation."""
    found = await rows.of_tenant(request.app.state.service.pool, owner_of(caller, tenant))
    return Page(items=[ChannelOut.of(row) for row in found])


@router.post("", status_code=201)
async def add_channel(
    request: Request, caller: Administrator, wanted: NewChannel, response: Response, tenant: Tenant = None
) -> ChannelWithSecret:
    """Add a channel. Of a webhook the answer has the secret that signs, which is not shown again."""
    owner, now = owner_of(caller, tenant), request.app.state.clock()
    secret = signing.new_secret() if wanted.kind is ChannelKind.WEBHOOK else ""
    channel = new_channel(uuid4(), owner, wanted, secret)
    await _check(request, channel)
    async with request.app.state.service.uow_factory.begin() as work:
        if len(await rows.of_tenant(work.connection, owner)) >= MAX_CHANNELS:
            raise HTTPException(409, f"channels: there are {MAX_CHANNELS}; remove one")
        if not await rows.add(work.connection, channel, now, caller.name):
            raise HTTPException(409, "name: there is a channel of this name")
        (row,) = await rows.of_tenant(work.connection, owner, channel.name)
    response.headers["ETag"] = etag(row["version"])
    return ChannelWithSecret(**ChannelOut.of(row).model_dump(), secret=secret or None)


@router.get("/{name}")
async def get_channel(
    request: Request, caller: Administrator, name: Name, response: Response, tenant: Tenant = None
) -> ChannelOut:
    """One channel, without its secrets."""
    row = await _found(request, owner_of(caller, tenant), name)
    response.headers["ETag"] = etag(row["version"])
    return ChannelOut.of(row)


@router.patch("/{name}")
async def change_channel(
    request: Request,
    caller: Administrator,
    name: Name,
    wanted: ChannelChange,
    response: Response,
    tenant: Tenant = None,
    if_match: IfMatch = None,
) -> ChannelOut:
    """Change a channel; what is not named stays. Enabled again, what waits goes out."""
    owner, now = owner_of(caller, tenant), request.app.state.clock()
    async with request.app.state.service.uow_factory.begin() as work:
        row = await rows.lock(work.connection, owner, name)
        if row is None:
            raise HTTPException(404, "channel: there is none of this name")
        check_version(if_match, row["version"])
        channel = changed(channel_of(row), wanted)
        if wanted.url is not None:
            await _check(request, channel)
        enabled = row["enabled"] if wanted.enabled is None else wanted.enabled
        await rows.change(work.connection, channel, enabled, now, caller.name)
        (row,) = await rows.of_tenant(work.connection, owner, name)
    response.headers["ETag"] = etag(row["version"])
    return ChannelOut.of(row)


@router.delete("/{name}", status_code=204)
async def remove_channel(request: Request, caller: Administrator, name: Name, tenant: Tenant = None) -> None:
    """Remove a channel and the log of what was sent to it."""
    if not await rows.remove(request.app.state.service.pool, owner_of(caller, tenant), name):
        raise HTTPException(404, "channel: there is none of this name")


@router.post("/{name}/rotate")
async def rotate_secret(
    request: Request, caller: Administrator, name: Name, tenant: Tenant = None
) -> ChannelWithSecret:
    """Give a webhook another secret at once, which the answer has."""
    owner, now = owner_of(caller, tenant), request.app.state.clock()
    secret = signing.new_secret()
    async with request.app.state.service.uow_factory.begin() as work:
        row = await rows.lock(work.connection, owner, name)
        if row is None:
            raise HTTPException(404, "channel: there is none of this name")
        if row["kind"] != ChannelKind.WEBHOOK:
            raise HTTPException(409, "channel: only what is posted to a webhook is signed")
        await rows.rotate(work.connection, row["id"], secret, now, caller.name)
        (row,) = await rows.of_tenant(work.connection, owner, name)
    return ChannelWithSecret(**ChannelOut.of(row).model_dump(), secret=secret)


@router.post("/{name}/test")
async def try_channel(request: Request, caller: Administrator, name: Name, tenant: Tenant = None) -> TrialResult:
    """Send a test message now, and tell what went wrong: refused, not authenticated, no answer."""
    channel = channel_of(await _found(request, owner_of(caller, tenant), name))
    id_ = f"msg_{uuid4().hex}"
    transport = request.app.state.transport()
    try:
        answer = await transport.trial(channel, id_, caller.name, request.app.state.clock())
    finally:
        await transport.close()
    return TrialResult(
        good=answer.good, status=answer.status or None, problem=answer.problem, milliseconds=answer.milliseconds
    )


@router.get("/{name}/messages")
async def list_messages(
    request: Request,
    caller: Administrator,
    name: Name,
    state: MessageState | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
    tenant: Tenant = None,
) -> Page[MessageOut]:
    """What was sent to a channel, or failed, newest first."""
    channel = await _found(request, owner_of(caller, tenant), name)
    before = decode_cursor(cursor, datetime, str) if cursor else (None, None)
    pool = request.app.state.service.pool
    found = await rows.messages(pool, channel["id"], state, (before[0], before[1]), limit)
    return Page(items=[MessageOut(**row) for row in found], next_cursor=next_cursor(found, limit, "formed_at", "id"))


async def _found(request: Request, owner: str, name: str) -> Record:
    found = await rows.of_tenant(request.app.state.service.pool, owner, name)
    if not found:
        raise HTTPException(404, "channel: there is none of this name")
    return found[0]


async def _check(request: Request, channel: Channel) -> None:
    """Refuse at once what would never be posted to. Raises `InvalidMessage`."""
    if not channel.url:
        return
    allowed: AllowedDestinations = request.app.state.webhook_destinations
    try:
        allowed.check_addresses(await addresses_of(*allowed.check_url(channel.url)))
    except Forbidden as error:
        raise InvalidMessage(str(error)) from None
    except (OSError, UnicodeError):
        raise InvalidMessage("url: the host is not known; is the name right?") from None
