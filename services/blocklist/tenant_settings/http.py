"""The tenant's settings: read, try out, change, undo; and what they were."""

from typing import Annotated, Any
from uuid import UUID, uuid4

from asyncpg import Record
from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from returpost.contracts import Text
from services.blocklist.jobs import repository
from services.blocklist.jobs.http import finished, shown
from services.blocklist.jobs.repository import Kind
from services.blocklist.tenant_settings import changes, repository as policy_repository
from services.blocklist.tenant_settings.changes import Change, ChangedMeanwhile
from services.blocklist.tenant_settings.repository import Q
from shared.database.pool import Connection
from shared.http.callers import Administrator, Reader, Tenant

NOTE = 1_000

router = APIRouter(prefix="/settings")


class NotedChange(Change):
    """New settings, and why; what is left out stays."""

    note: Annotated[Text, Field(max_length=NOTE)] = ""


class Restore(BaseModel, extra="forbid"):
    """Which version to return to; none named, the one before."""

    version: Annotated[int, Field(ge=0)] | None = None


@router.get("")
async def settings(request: Request, response: Response, caller: Reader, tenant: Tenant = None) -> dict[str, Any]:
    """The tenant's settings, and how far the last change has been applied."""
    owner = caller.tenant_for(tenant)
    async with request.app.state.service.pool.acquire() as connection:
        return await _settings(connection, owner, response)


@router.put("")
async def change_settings(
    request: Request,
    response: Response,
    caller: Administrator,
    change: NotedChange,
    tenant: Tenant = None,
    if_match: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Change settings. What comes in is judged by them at once; all addresses follow in the background.

    With `If-Match` and the ETag that the settings were read with, nothing is changed if somebody else did meanwhile.
    """
    owner, state = caller.tenant_for(tenant), request.app.state
    try:
        async with state.service.uow_factory.begin() as work:
            await changes.save(
                work, owner, change, caller.name, state.clock(), note=change.note, version=_version(if_match)
            )
            answer = await _settings(work.connection, owner, response)
    except ChangedMeanwhile as error:
        raise HTTPException(412, str(error)) from None
    state.work_requested.set()
    return answer


@router.post("/undo")
async def undo(
    request: Request, response: Response, caller: Administrator, wanted: Restore, tenant: Tenant = None
) -> dict[str, Any]:
    """Put the settings of the version before in force again, or of the one named; this makes a new version."""
    owner, state = caller.tenant_for(tenant), request.app.state
    async with state.service.uow_factory.begin() as work:
        await changes.restore(work, owner, wanted.version, caller.name, state.clock())
        answer = await _settings(work.connection, owner, response)
    state.work_requested.set()
    return answer


@router.post("/what-if", status_code=202)
async def what_if(request: Request, caller: Reader, change: Change, tenant: Tenant = None) -> dict[str, Any]:
    """Count whom a change would block or free, by reason and domain, with a sample; nothing is changed.

    Answers with the operation that counts; when it is not finished yet, ask `/v1/operations/{id}` for it.
    """
    owner, state = caller.tenant_for(tenant), request.app.state
    wanted = change.model_dump(mode="json", exclude_unset=True)
    id_ = str(uuid4())
    async with state.service.pool.acquire() as connection:
        changes.changed(await policy_repository.of_tenant(connection, owner), change)
        await repository.request(connection, id_, owner, Kind.WHAT_IF, wanted, caller.name, "", state.clock())
    state.work_requested.set()
    return await finished(request, owner, UUID(id_))


@router.get("/history")
async def history(
    request: Request,
    caller: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    tenant: Tenant = None,
) -> dict[str, Any]:
    """The versions of the settings, newest first: who changed what, when and why; `next` is the next `before`."""
    owner = caller.tenant_for(tenant)
    rows = await request.app.state.service.pool.fetch(Q["versions"], owner, before, limit + 1)
    # Each is shown by what differs from the one before it, the first by what differs from the defaults.
    versions = [_changes(row, rows[n + 1] if n + 1 < len(rows) else None) for n, row in enumerate(rows[:limit])]
    return {"versions": versions, "next": rows[limit - 1]["version"] if len(rows) > limit else None}


def _changes(row: Record, before: Record | None) -> dict[str, Any]:
    old, new = (changes.named(policy_repository.policy_of(version)) for version in (before, row))
    return {
        **{name: row[name] for name in ("version", "changed_at", "changed_by", "note")},
        "changes": [
            {"name": name, "old": old.get(name), "new": new.get(name)}
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ],
    }


def _version(if_match: str | None) -> int | None:
    if if_match in (None, "*"):
        return None
    tag = if_match.removeprefix("W/").strip('"')
    return int(tag) if tag.isdecimal() else -1


async def _settings(connection: Connection, owner: str, response: Response) -> dict[str, Any]:
    row = await connection.fetchrow(Q["settings"], [owner])
    last = await connection.fetchrow(repository.Q["operations"], owner, Kind.SETTINGS, None, None, 1)
    policy = policy_repository.policy_of(row)
    version = row["version"] if row else 0
    response.headers["ETag"] = f'"{version}"'
    return {
        "accepted_bounces": policy.accepted_bounces,
        "reasons": dict(policy.effects),
        **policy_repository.rules_of(policy),
        "version": version,
        "changed_at": row["changed_at"] if row else None,
        "changed_by": row["changed_by"] if row else None,
        "note": row["note"] if row else "",
        "operation": shown(last) if last else None,
    }
