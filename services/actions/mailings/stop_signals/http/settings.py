"""HTTP: each tenant's thresholds, and what others would have stopped."""

import asyncio
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Response
from pydantic import BaseModel, Field

from returpost.contracts import Note
from returpost.contracts.enums import BreachKind, BreachLevel, BreachScope
from services.actions.mailings.stop_signals import events
from services.actions.mailings.stop_signals.evaluation import utc_now
from services.actions.mailings.stop_signals.preview import Outcome, outcomes
from services.actions.mailings.stop_signals.repository import signals, thresholds
from services.actions.mailings.stop_signals.repository.thresholds import Version
from services.actions.mailings.stop_signals.thresholds import StopSignals
from shared.http.dependencies import Administrator, Database, Reader, Tenant, Units
from shared.http.preconditions import check_version, etag

router = APIRouter(prefix="/v1/stop-signals", tags=["stop signals"])
PAST = timedelta(days=90)
MAX_MAILINGS = 500
"""Past mailings that a preview looks at: the newest."""


class StopSignalSettings(StopSignals):
    """Thresholds with their version; 0 is the default."""

    version: int
    changed_at: datetime | None
    changed_by: str | None
    note: str


class StopSignalChange(StopSignals):
    """New thresholds, and why."""

    note: Annotated[Note, Field(max_length=1_000)] = ""


class Crossed(BaseModel):
    """A threshold that a past mailing would have crossed."""

    kind: BreachKind
    level: BreachLevel
    time: datetime
    count: int
    of_results: int
    threshold: float
    scope: BreachScope


class PastMailingItem(BaseModel):
    """A past mailing that would have been warned of or paused."""

    mailing: str
    name: str | None
    at: datetime
    sent: int
    """Recipients in all."""
    unsent: int
    """Recipients who would not have been sent to: those after the pause."""
    crossed: list[Crossed]


class Numbers(BaseModel):
    """Past mailings by what would have happened to them."""

    warned: int
    """Warned of, those that are paused among them."""
    paused: int


class StopSignalPreview(BaseModel):
    """What thresholds would have done to past mailings."""

    mailings: int
    """Those looked at: the newest of the last 90 days."""
    now: Numbers
    """By the thresholds in force."""
    would_be: Numbers
    """By those that are tried."""
    items: list[PastMailingItem]
    """Those that would have been warned of or paused, the newest first."""


@router.get("")
async def read_stop_signals(
    response: Response, pool: Database, caller: Reader, tenant: Tenant = None
) -> StopSignalSettings:
    """Return the thresholds from which on mailings are warned of and paused; a change has to quote the `ETag`."""
    found, version = await thresholds.read(pool, caller.tenant_for(tenant))
    response.headers["ETag"] = etag(version.version)
    return _shown(found, version)


@router.put("")
async def write_stop_signals(
    response: Response,
    units: Units,
    caller: Administrator,
    change: StopSignalChange,
    if_match: Annotated[str, Header(description="the `ETag` that was read: a change by somebody else is not lost")],
    tenant: Tenant = None,
) -> StopSignalSettings:
    """Change the thresholds. They hold at once, also for mailings that are being sent; what is paused stays so."""
    owner, now = caller.tenant_for(tenant), utc_now()
    wanted = StopSignals.model_validate(change.model_dump(exclude={"note"}))
    async with units.begin() as work:
        before, known = await thresholds.read(work.connection, owner)
        check_version(if_match.strip().removeprefix("W/"), known.version)
        saved = await thresholds.save(work.connection, owner, wanted, known.version, caller.name, change.note, now)
        if saved is None:
            raise HTTPException(412, "If-Match: it has just been changed; read it again")
        for event in events.settings_changed(before, wanted, owner, saved, caller.name, now):
            work.emit(event)
        await signals.mark_since(work.connection, [(owner, now - wanted.thresholds().window)])
    response.headers["ETag"] = etag(saved)
    return _shown(wanted, Version(saved, now, caller.name, change.note))


@router.post("/preview")
async def preview_stop_signals(
    pool: Database, caller: Reader, wanted: StopSignals, tenant: Tenant = None
) -> StopSignalPreview:
    """Show which past mailings these thresholds would have warned of and paused, and when; nothing is changed."""
    owner = caller.tenant_for(tenant)
    current, _ = await thresholds.read(pool, owner)
    past = await signals.past_mailings(pool, owner, utc_now() - PAST, MAX_MAILINGS)
    now = await asyncio.to_thread(outcomes, past, current.thresholds())
    would_be = await asyncio.to_thread(outcomes, past, wanted.thresholds())
    items = [
        PastMailingItem(
            mailing=one.mailing.mailing,
            name=one.mailing.name,
            at=one.mailing.at,
            sent=one.sent,
            unsent=one.unsent,
            crossed=[Crossed(**asdict(breach)) for breach in one.breaches],
        )
        for one in would_be
        if one.breaches
    ]
    return StopSignalPreview(mailings=len(past), now=_numbers(now), would_be=_numbers(would_be), items=items)


def _numbers(found: list[Outcome]) -> Numbers:
    return Numbers(warned=sum(bool(one.breaches) for one in found), paused=sum(one.paused for one in found))


def _shown(settings: StopSignals, version: Version) -> StopSignalSettings:
    return StopSignalSettings.model_validate(settings.model_dump() | asdict(version))
