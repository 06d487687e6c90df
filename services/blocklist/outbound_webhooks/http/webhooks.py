"""Webhooks to CRMs: where what happens to blocks is posted."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import uuid4

from asyncpg import Record
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from returpost.contracts import Name, Text, Time, WebhookTested
from returpost.contracts.cloudevents import encode, event
from returpost.errors import InvalidMessage
from services.blocklist.address_state.reevaluate import SOURCE
from services.blocklist.outbound_webhooks import http_sender, repository, signing
from services.blocklist.outbound_webhooks.repository import Q
from services.blocklist.outbound_webhooks.ssrf_guard import Forbidden, Rules, addresses_of
from shared.database.pool import Connection, Pool
from shared.http.callers import Administrator, Tenant
from shared.http.preconditions import IfMatch, check_version, etag

MAX_WEBHOOKS = 20
"""Of one tenant."""

router = APIRouter(prefix="/webhooks")


class Wanted(BaseModel):
    """A webhook to be added."""

    name: Name
    url: Annotated[Text, Field(max_length=2_000)]
    start: Time | None = Field(default=None, alias="from")
    """Post also what happened since this time, as far as the stream has it; without it, what happens from now on."""


class Changed(BaseModel):
    """What is to be another; what is not named stays."""

    url: Annotated[Text, Field(max_length=2_000)] | None = None
    enabled: bool | None = None


class Rotation(BaseModel):
    """A change of the secret."""

    overlap_hours: Annotated[int, Field(ge=0, le=24 * 30)] = 24
    """How long the old secret signs too."""


@router.get("")
async def listed(request: Request, caller: Administrator, tenant: Tenant = None) -> dict[str, Any]:
    """The webhooks of a tenant, without their secrets."""
    rows = await request.app.state.service.pool.fetch(Q["of_tenant"], caller.tenant_for(tenant))
    return {"webhooks": [repository.shown(row, request.app.state.clock()) for row in rows]}


@router.post("", status_code=201)
async def add(
    request: Request, caller: Administrator, wanted: Wanted, response: Response, tenant: Tenant = None
) -> dict[str, Any]:
    """Add a webhook. The answer has its secret, which is not shown again."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    await _check(request, wanted.url)
    secret = signing.new_secret()
    service = request.app.state.service
    if len(await service.pool.fetch(Q["of_tenant"], owner)) >= MAX_WEBHOOKS:
        raise HTTPException(409, f"webhooks: there are {MAX_WEBHOOKS}; remove one")
    given = (wanted.name, wanted.url, secret, wanted.start or now, now, caller.name)
    row = await service.pool.fetchrow(Q["add"], uuid4(), owner, *given)
    if row is None:
        raise HTTPException(409, "name: there is a webhook of this name")
    response.headers["ETag"] = etag(row["version"])
    return repository.shown(row, now) | {"secret": secret}


@router.get("/{name}")
async def one(
    request: Request, caller: Administrator, name: Name, response: Response, tenant: Tenant = None
) -> dict[str, Any]:
    """One webhook, without its secrets."""
    row = await _found(request.app.state.service.pool, "one", caller.tenant_for(tenant), name)
    response.headers["ETag"] = etag(row["version"])
    return repository.shown(row, request.app.state.clock())


@router.patch("/{name}")
async def change(
    request: Request,
    caller: Administrator,
    name: Name,
    changed: Changed,
    response: Response,
    tenant: Tenant = None,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Change the URL, disable or enable. Enabled, it goes on where it stopped, and what waited is posted at once."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    if changed.url is not None:
        await _check(request, changed.url)
    async with request.app.state.service.uow_factory.begin() as work:
        row = await _found(work.connection, "lock", owner, name)
        check_version(if_match, row["version"])
        enabled = row["enabled"] if changed.enabled is None else changed.enabled
        why = f"by {caller.name}" if row["enabled"] else row["disabled_why"]
        new = await work.connection.fetchrow(
            Q["change"], row["id"], changed.url or row["url"], enabled, why, now, caller.name
        )
        if enabled:
            await work.connection.execute(Q["reopen"], row["id"], now)
    response.headers["ETag"] = etag(new["version"])
    return repository.shown(new, now)


@router.delete("/{name}", status_code=204)
async def remove(request: Request, caller: Administrator, name: Name, tenant: Tenant = None) -> None:
    """Remove a webhook and the log of what was posted to it."""
    await _found(request.app.state.service.pool, "remove", caller.tenant_for(tenant), name)


@router.post("/{name}/rotate")
async def rotate(
    request: Request, caller: Administrator, name: Name, rotation: Rotation, tenant: Tenant = None
) -> dict[str, Any]:
    """Give it another secret, which the answer has; for a while both sign."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    secret, until = signing.new_secret(), now + timedelta(hours=rotation.overlap_hours)
    async with request.app.state.service.uow_factory.begin() as work:
        row = await _found(work.connection, "lock", owner, name)
        new = await work.connection.fetchrow(Q["rotate"], row["id"], secret, until, now, caller.name)
    return repository.shown(new, now) | {"secret": secret}


@router.post("/{name}/test")
async def try_out(request: Request, caller: Administrator, name: Name, tenant: Tenant = None) -> dict[str, Any]:
    """Post an event of type `returpost.webhook.tested.v1` now, and tell what the receiver answered."""
    owner, now = caller.tenant_for(tenant), request.app.state.clock()
    service = request.app.state.service
    hook = repository.webhook_of(await _found(service.pool, "one", owner, name))
    id_ = f"msg_{uuid4().hex}"
    body, _ = encode([event(WebhookTested(name=name, time=now, by=caller.name), id=id_, source=SOURCE, tenant=owner)])
    poster = http_sender.Poster(request.app.state.webhook_rules, service.settings.webhook_timeout)
    try:
        answer = await poster.post(hook.url, id_, b"[" + body + b"]", hook.secrets(now))
    finally:
        await poster.close()
    return {
        "good": answer.good,
        "status": answer.status or None,
        "problem": answer.problem,
        "milliseconds": answer.milliseconds,
    }


async def _check(request: Request, url: str) -> None:
    """Refuse at once what would never be posted to. Raises `InvalidMessage`."""
    rules: Rules = request.app.state.webhook_rules
    try:
        rules.check_addresses(await addresses_of(*rules.check_url(url)))
    except Forbidden as error:
        raise InvalidMessage(str(error)) from None
    except (OSError, UnicodeError):
        raise InvalidMessage("url: the host is not known; is the name right?") from None


async def _found(source: Connection | Pool, query: str, owner: str, name: str) -> Record:
    row = await source.fetchrow(Q[query], owner, name)
    if row is None:
        raise HTTPException(404, "webhook: there is none of this name")
    return row
