"""HTTP: each tenant's schedule of retries."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, Response

from services.classifier import events
from services.classifier.domain.schedules import RetrySchedule
from services.classifier.repository import schedules
from services.classifier.repository.schedules import ScheduleVersion
from shared.http.dependencies import Database, Reader, Tenant, Units, Writer
from shared.http.preconditions import etag

router = APIRouter(prefix="/v1", tags=["retries"])


class RetrySettings(RetrySchedule):
    """A schedule with its version; 0 is the default of the service."""

    version: int
    changed_at: datetime | None
    changed_by: str | None


@router.get("/retry-settings")
async def read_settings(
    request: Request, response: Response, pool: Database, caller: Reader, tenant: Tenant = None
) -> RetrySettings:
    """Return the tenant's schedule; a change has to quote its `ETag`."""
    async with pool.acquire() as connection:
        schedule, version = await schedules.read(connection, caller.tenant_for(tenant), request.app.state.retry_policy)
    response.headers["ETag"] = etag(version.version)
    return _settings(schedule, version)


@router.put("/retry-settings")
async def write_settings(
    request: Request,
    response: Response,
    units: Units,
    caller: Writer,
    schedule: RetrySchedule,
    if_match: Annotated[str, Header(description="the `ETag` that was read: a change by somebody else is not lost")],
    tenant: Tenant = None,
) -> RetrySettings:
    """Change the tenant's schedule, for bounces from now on; pending retries keep their time."""
    owner, state = caller.tenant_for(tenant), request.app.state
    async with units.begin() as work:
        before, known = await schedules.read(work.connection, owner, state.retry_policy)
        seen, now = if_match.strip().removeprefix("W/").strip('"'), state.clock()
        if seen != str(known.version):
            raise HTTPException(412, f"If-Match: the current version is {known.version}; read the settings again")
        version = await schedules.save(work.connection, owner, schedule, known.version, caller.name, now)
        if version is None:
            raise HTTPException(412, "If-Match: the settings have just been changed; read them again")
        for change in events.settings_changed(before, schedule, owner, version, caller.name, now):
            work.emit(change)
    response.headers["ETag"] = etag(version)
    return _settings(schedule, ScheduleVersion(version, now, caller.name))


def _settings(schedule: RetrySchedule, version: ScheduleVersion) -> RetrySettings:
    return RetrySettings.model_validate(schedule.model_dump() | asdict(version))
