"""The tenant's settings: read, try out, change, undo; and what they were."""

from datetime import datetime
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Header, HTTPException, Request, Response
from pydantic import BaseModel, Field

from returpost.contracts import Note
from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.domain import NEVER
from services.blocklist.jobs import repository as jobs
from services.blocklist.jobs.domain import JobKind, JobParameters, JobRequest
from services.blocklist.jobs.http import JobOut, finished, last_job
from services.blocklist.tenant_settings import handlers, repository
from services.blocklist.tenant_settings.changes import SettingsChange, apply_change, differences, rules_of
from services.blocklist.tenant_settings.domain import Counting, Effect, Policy
from services.blocklist.tenant_settings.repository import Version
from shared.database.pool import Connection
from shared.http.dependencies import Administrator, Reader, Tenant
from shared.http.pagination import Cursor, Limit, Page, decode_id, encode_cursor

NOTE = 1_000
MAX_VERSION = 2**31 - 1

router = APIRouter(prefix="/settings")


class NotedChange(SettingsChange):
    """New settings, and why; what is left out stays."""

    note: Annotated[Note, Field(max_length=NOTE)] = ""


class Restore(BaseModel, extra="forbid"):
    """Which version to return to; none named, the one before."""

    version: Annotated[int, Field(ge=0)] | None = None


class SettingsOut(BaseModel):
    """A tenant's settings, and how far the last change has been applied."""

    accepted_bounces: int
    reasons: dict[Reason, Effect]
    counting: Counting
    decay_days: int | None
    expiry_days: list[int]
    once_a_day: bool
    streams: dict[str, list[BlockCause]]
    skip_erased: bool
    erase_after_days: int
    dead_confidence: float
    version: Annotated[int, Field(description="0 stands for the defaults")]
    changed_at: datetime | None
    changed_by: str | None
    note: str
    job: Annotated[JobOut | None, Field(description="The job that applies the last change to all addresses")]


class SettingDifference(BaseModel):
    """One setting that a version changed."""

    name: str
    old: str | None
    new: str | None


class VersionOut(BaseModel):
    """One version of the settings, by what it changed."""

    version: int
    changed_at: datetime
    changed_by: str
    note: str
    changes: list[SettingDifference]


@router.get("")
async def get_settings(request: Request, response: Response, caller: Reader, tenant: Tenant = None) -> SettingsOut:
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
) -> SettingsOut:
    """Change settings. What comes in is judged by them at once; all addresses follow in the background.

    With `If-Match` and the ETag that the settings were read with, nothing is changed if somebody else did meanwhile.
    """
    owner, state = caller.tenant_for(tenant), request.app.state
    try:
        async with state.service.uow_factory.begin() as work:
            await handlers.save(
                work, owner, change, caller.name, state.clock(), note=change.note, version=_version(if_match)
            )
            answer = await _settings(work.connection, owner, response)
    except handlers.VersionConflict as error:
        raise HTTPException(412, str(error)) from None
    state.job_requested.set()
    return answer


@router.post("/undo")
async def undo_settings(
    request: Request, response: Response, caller: Administrator, wanted: Restore, tenant: Tenant = None
) -> SettingsOut:
    """Put the settings of the version before in force again, or of the one named; this makes a new version."""
    owner, state = caller.tenant_for(tenant), request.app.state
    async with state.service.uow_factory.begin() as work:
        await handlers.restore(work, owner, wanted.version, caller.name, state.clock())
        answer = await _settings(work.connection, owner, response)
    state.job_requested.set()
    return answer


@router.post("/preview", status_code=202)
async def preview_settings(request: Request, caller: Reader, change: SettingsChange, tenant: Tenant = None) -> JobOut:
    """Count whom a change would block or free, by reason and domain, with a sample; nothing is changed.

    Answers with the job that counts; when it is not finished yet, ask `/v1/jobs/{id}` for it.
    """
    owner, state = caller.tenant_for(tenant), request.app.state
    id_ = uuid4()
    async with state.service.pool.acquire() as connection:
        apply_change(await repository.of_tenant(connection, owner), change)
        parameters = JobParameters(change=change)
        job = JobRequest(str(id_), owner, JobKind.SETTINGS_PREVIEW, parameters, caller.name, "", state.clock())
        await jobs.add(connection, job)
    state.job_requested.set()
    return await finished(request, owner, id_)


@router.get("/history")
async def settings_history(
    request: Request, caller: Reader, cursor: Cursor = None, limit: Limit = 100, tenant: Tenant = None
) -> Page[VersionOut]:
    """The versions of the settings, newest first: who changed what, when and why."""
    after = decode_id(cursor)
    before = None if after is None else min(after, MAX_VERSION)
    owner, pool = caller.tenant_for(tenant), request.app.state.service.pool
    rows = await repository.versions(pool, owner, before, limit + 1)
    # Each is shown by what differs from the one before it, the first by what differs from the defaults.
    versions = [
        _version_out(row, rows[n + 1].policy if n + 1 < len(rows) else Policy()) for n, row in enumerate(rows[:limit])
    ]
    following = encode_cursor(rows[limit - 1].version) if len(rows) > limit else None
    return Page(items=versions, next_cursor=following)


def _version_out(version: Version, before: Policy) -> VersionOut:
    return VersionOut(
        version=version.version,
        changed_at=version.changed_at or NEVER,
        changed_by=version.changed_by or "",
        note=version.note,
        changes=[
            SettingDifference(name=name, old=old, new=new) for _, name, old, new in differences(before, version.policy)
        ],
    )


def _version(if_match: str | None) -> int | None:
    if if_match in (None, "*"):
        return None
    tag = if_match.removeprefix("W/").strip('"')
    return int(tag) if tag.isdecimal() else -1


async def _settings(connection: Connection, owner: str, response: Response) -> SettingsOut:
    current = await repository.current_version(connection, owner)
    response.headers["ETag"] = f'"{current.version}"'
    return SettingsOut(
        accepted_bounces=current.policy.accepted_bounces,
        reasons=dict(current.policy.effects),
        **rules_of(current.policy),
        version=current.version,
        changed_at=current.changed_at,
        changed_by=current.changed_by,
        note=current.note,
        job=await last_job(connection, owner, JobKind.SETTINGS),
    )
