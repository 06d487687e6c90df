"""HTTP: breaches of a mailing; mailings are paused and resumed."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Id, Note
from returpost.contracts.enums import BreachKind, BreachLevel, BreachScope
from services.actions.mailings.repository.mailings import find_mailing
from services.actions.mailings.stop_signals import pauses
from services.actions.mailings.stop_signals.domain import latest
from services.actions.mailings.stop_signals.evaluation import utc_now
from services.actions.mailings.stop_signals.repository import pauses as pause_rows, signals, thresholds
from shared.database.pool import Connection
from shared.http.dependencies import Database, Reader, Tenant, Units, Writer
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, next_cursor

router = APIRouter(prefix="/v1", tags=["stop signals"])


class Counted(BaseModel):
    """Recipients of a mailing in the last window in which anything happened, each once."""

    sent: int
    returned: int
    """For good or for now."""
    hard_bounces: int
    """Dead addresses, outside of storms."""
    complaints: int
    sender_faults: int
    """Returned for what is sent or who sends it."""


class BreachItem(BaseModel):
    """A threshold that was crossed."""

    kind: BreachKind
    level: BreachLevel
    time: datetime
    """By the times of the results."""
    count: int
    of_results: int
    threshold: float
    scope: BreachScope
    """Whose recipients were counted."""
    noticed_at: datetime


class PauseState(BaseModel):
    """Whether a mailing is paused, since when and why; or who has resumed it."""

    paused: bool
    since: datetime
    by: str
    why: str
    kind: BreachKind | None
    """The breach that paused it; null: a person did."""


class MailingSignals(BaseModel):
    """What would stop a mailing, and what has."""

    mailing: str
    counts: Counted
    breaches: list[BreachItem]
    pause: PauseState | None
    """Null: it never was paused."""


class PausedMailing(BaseModel):
    """A mailing that is paused."""

    mailing: str
    name: str | None
    since: datetime
    by: str
    why: str
    kind: BreachKind | None


class Reason(BaseModel):
    """Why a mailing is paused or resumed, for the audit."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"why": "Old addresses removed"}]})

    why: Annotated[Note, Field(min_length=1, max_length=1_000)]


@router.get("/paused-mailings")
async def paused_mailings(
    pool: Database, caller: Reader, tenant: Tenant = None, cursor: Cursor = None, limit: Limit = 50
) -> Page[PausedMailing]:
    """A page of the mailings that are paused, the last paused first."""
    before = decode_cursor(cursor, datetime, str) if cursor else None
    place = None if before is None else (before[0], str(before[1]))
    rows = await pause_rows.page_of_paused(pool, caller.tenant_for(tenant), place, limit)
    items = [PausedMailing.model_validate(row) for row in rows]
    return Page(items=items, next_cursor=next_cursor(rows, limit, "since", "mailing"))


@router.get("/mailings/{mailing}/stop-signals")
async def stop_signals(pool: Database, caller: Reader, mailing: Id, tenant: Tenant = None) -> MailingSignals:
    """What counts for the thresholds of a mailing, those that it has crossed, and whether it is paused."""
    owner = caller.tenant_for(tenant)
    if await find_mailing(pool, owner, mailing) is None:
        raise _unknown(mailing)
    limits = (await thresholds.read(pool, owner))[0].thresholds()
    counts = latest(await signals.minutes_of(pool, owner, mailing), limits)
    noticed = await signals.noticed_breaches(pool, owner, mailing)
    found = await pause_rows.pause_of(pool, owner, mailing)
    return MailingSignals(
        mailing=mailing,
        counts=Counted(**counts._asdict()),
        breaches=[BreachItem(**asdict(one.breach), noticed_at=one.noticed_at) for one in noticed],
        pause=None if found is None else PauseState(**found._asdict()),
    )


@router.post("/mailings/{mailing}/pause")
async def pause_mailing(units: Units, caller: Writer, mailing: Id, reason: Reason, tenant: Tenant = None) -> PauseState:
    """Have the sender pause a mailing; its retries wait. One that is paused stays as it is."""
    owner = caller.tenant_for(tenant)
    async with units.begin() as work:
        if await find_mailing(work.connection, owner, mailing) is None:
            raise _unknown(mailing)
        await pauses.pause(work, owner, mailing, utc_now(), caller.name, reason.why)
        return await _state(work.connection, owner, mailing)


@router.post("/mailings/{mailing}/resume")
async def resume_mailing(
    units: Units, caller: Writer, mailing: Id, reason: Reason, tenant: Tenant = None
) -> PauseState:
    """Have the sender go on with a mailing that is paused, and its retries with it.

    What has paused it does not do so again; another kind of breach may.
    """
    owner = caller.tenant_for(tenant)
    async with units.begin() as work:
        await pauses.resume(work, owner, mailing, utc_now(), caller.name, reason.why)
        return await _state(work.connection, owner, mailing)


async def _state(connection: Connection, tenant: str, mailing: str) -> PauseState:
    found = await pause_rows.pause_of(connection, tenant, mailing)
    if found is None:
        raise HTTPException(404, f"mailing: {mailing} was never paused")
    return PauseState(**found._asdict())


def _unknown(mailing: str) -> HTTPException:
    return HTTPException(404, f"mailing: {mailing} is not known")
