"""Webhooks to CRMs: where block events are posted."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

from asyncpg import Record
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from returpost.contracts import Name, Text, Time, WebhookTested
from returpost.contracts.cloudevents import encode
from returpost.errors import InvalidMessage
from services.blocklist.address_state.events import new_event
from services.blocklist.outbound_webhooks import repository
from shared.http.dependencies import Administrator, Tenant
from shared.http.pagination import Page
from shared.http.preconditions import IfMatch, check_version, etag
from shared.outbound import signing
from shared.outbound.http_sender import HttpSender
from shared.outbound.ssrf_guard import AllowedDestinations, Forbidden, addresses_of

MAX_WEBHOOKS = 20
"""Of one tenant."""

router = APIRouter(prefix="/webhooks")


class NewWebhook(BaseModel):
    """A webhook to be added."""

    name: Name
    url: Annotated[Text, Field(max_length=2_000)]
    start: Time | None = Field(default=None, alias="from")
    """Post also what happened since this time, as far as the stream has it; without it, what happens from now on."""


class WebhookChange(BaseModel):
    """What is to be another; what is not named stays."""

    url: Annotated[Text, Field(max_length=2_000)] | None = None
    enabled: bool | None = None


class Rotation(BaseModel):
    """A change of the secret."""

    overlap_hours: Annotated[int, Field(ge=0, le=24 * 30)] = 24
    """How long the old secret signs too."""


class WebhookOut(BaseModel):
    """One webhook, without its secrets."""

    name: str
    url: str
    enabled: bool
    disabled_why: str | None
    version: int
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    old_secret_until: Annotated[datetime | None, Field(description="Until when the secret before signs too")]
    from_: Annotated[
        datetime | None,
        Field(alias="from", description="From when on it posts, as long as nothing was posted"),
    ]


class WebhookWithSecret(WebhookOut):
    """One webhook with its secret, which is not shown again."""

    secret: str


class TrialResult(BaseModel):
    """What the receiver answered."""

    good: bool
    status: Annotated[int | None, Field(description="Of HTTP; none when there was no answer")]
    problem: str
    milliseconds: int


@router.get("")
async def list_webhooks(request: Request, caller: Administrator, tenant: Tenant = None) -> Page[WebhookOut]:
    """The webhooks of a tenant, on one page."""
    rows = await repository.of_tenant(request.app.state.service.pool, caller.tenant_for(tenant))
    return Page(items=[_out(row, request.app.state.clock()) for row in rows])


@router.post("", status_code=201)
async def add_webhook(
    request: Request, caller: Administrator, wanted: NewWebhook, response: Response, tenant: Tenant = None
) -> WebhookWithSecret:
    """Add a webhook. The answer has its secret, which is not shown again."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    await _check(request, wanted.url)
    secret = signing.new_secret()
    pool = request.app.state.service.pool
    if len(await repository.of_tenant(pool, owner)) >= MAX_WEBHOOKS:
        raise HTTPException(409, f"webhooks: there are {MAX_WEBHOOKS}; remove one")
    start_at = wanted.start or now
    row = await repository.add(pool, uuid4(), owner, wanted.name, wanted.url, secret, start_at, now, caller.name)
    if row is None:
        raise HTTPException(409, "name: there is a webhook of this name")
    response.headers["ETag"] = etag(row["version"])
    return _with_secret(row, now)


@router.get("/{name}")
async def get_webhook(
    request: Request, caller: Administrator, name: Name, response: Response, tenant: Tenant = None
) -> WebhookOut:
    """One webhook, without its secrets."""
    row = found(await repository.get(request.app.state.service.pool, caller.tenant_for(tenant), name))
    response.headers["ETag"] = etag(row["version"])
    return _out(row, request.app.state.clock())


@router.patch("/{name}")
async def change_webhook(
    request: Request,
    caller: Administrator,
    name: Name,
    changed: WebhookChange,
    response: Response,
    tenant: Tenant = None,
    if_match: IfMatch = None,
) -> WebhookOut:
    """Change the URL, disable or enable. Enabled, it goes on where it stopped, and what is open is posted at once."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    if changed.url is not None:
        await _check(request, changed.url)
    async with request.app.state.service.uow_factory.begin() as work:
        row = found(await repository.lock(work.connection, owner, name))
        check_version(if_match, row["version"])
        enabled = row["enabled"] if changed.enabled is None else changed.enabled
        why = f"by {caller.name}" if row["enabled"] else row["disabled_why"]
        url = changed.url or row["url"]
        new = await repository.change(work.connection, row["id"], url, enabled, why, now, caller.name)
    response.headers["ETag"] = etag(new["version"])
    return _out(new, now)


@router.delete("/{name}", status_code=204)
async def remove_webhook(request: Request, caller: Administrator, name: Name, tenant: Tenant = None) -> None:
    """Remove a webhook and the log of what was posted to it."""
    if not await repository.remove(request.app.state.service.pool, caller.tenant_for(tenant), name):
        found(None)


@router.post("/{name}/rotate")
async def rotate_secret(
    request: Request, caller: Administrator, name: Name, rotation: Rotation, tenant: Tenant = None
) -> WebhookWithSecret:
    """Give it another secret, which the answer has; for a while both sign."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    secret, until = signing.new_secret(), now + timedelta(hours=rotation.overlap_hours)
    async with request.app.state.service.uow_factory.begin() as work:
        row = found(await repository.lock(work.connection, owner, name))
        new = await repository.rotate(work.connection, row["id"], secret, until, now, caller.name)
    return _with_secret(new, now)


@router.post("/{name}/test")
async def try_webhook(request: Request, caller: Administrator, name: Name, tenant: Tenant = None) -> TrialResult:
    """Post an event of type `returpost.webhook.tested.v1` now, and tell what the receiver answered."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    service = request.app.state.service
    webhook = repository.webhook_of(found(await repository.get(service.pool, owner, name)))
    id_ = f"msg_{uuid4().hex}"
    body, _ = encode([new_event(WebhookTested(name=name, time=now, by=caller.name), id=id_, tenant=owner)])
    sender = HttpSender(request.app.state.webhook_destinations, service.settings.webhook_timeout)
    try:
        answer = await sender.post(webhook.url, id_, b"[" + body + b"]", webhook.secrets(now))
    finally:
        await sender.close()
    return TrialResult(
        good=answer.good, status=answer.status or None, problem=answer.problem, milliseconds=answer.milliseconds
    )


def found(row: Record | None) -> Record:
    """Return the row of a webhook. HTTP 404 when there is none."""
    if row is None:
        raise HTTPException(404, "webhook: there is none of this name")
    return row


async def _check(request: Request, url: str) -> None:
    """Refuse at once what would never be posted to. Raises `InvalidMessage`."""
    allowed: AllowedDestinations = request.app.state.webhook_destinations
    try:
        allowed.check_addresses(await addresses_of(*allowed.check_url(url)))
    except Forbidden as error:
        raise InvalidMessage(str(error)) from None
    except (OSError, UnicodeError):
        raise InvalidMessage("url: the host is not known; is the name right?") from None


def _out(row: Record, now: datetime) -> WebhookOut:
    return WebhookOut(**_values(row, now))


def _with_secret(row: Record, now: datetime) -> WebhookWithSecret:
    return WebhookWithSecret(**_values(row, now))


def _values(row: Record, now: datetime) -> dict[str, Any]:
    old = row["old_secret_until"]
    return {
        **row,
        "old_secret_until": old if old is not None and old > now else None,
        "from": row["start_at"] if row["last_offset"] is None else None,
    }
