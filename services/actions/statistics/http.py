"""HTTP: statistics, by day and by mailing."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel

from returpost.contracts import Id, Text
from services.actions.statistics import repository
from services.actions.statistics.domain import change, rates
from services.actions.statistics.repository import MailingFilter
from shared.http.dependencies import Reader, Tenant
from shared.http.pagination import Cursor, Page, decode_cursor, decode_time, encode_cursor

MAX_DAYS = 731
DEFAULT_DAYS = 30
MAX_GROUPS = 100

router = APIRouter(prefix="/v1/statistics", tags=["statistics"])


class Counts(BaseModel):
    """Recipients, each once a mailing; and their rates, none where nothing was sent."""

    sent: int
    delivered: int
    hard: int
    soft: int
    complained: int
    opened: int
    unsubscribed: int
    recovered: int
    """Returned first, delivered later."""


class Rates(BaseModel):
    success_rate: float | None
    delivered_rate: float | None
    hard_rate: float | None
    soft_rate: float | None
    complaint_rate: float | None
    open_rate: float | None


class CountsAndRates(Counts, Rates):
    """Counts with their rates."""


class DayCounts(CountsAndRates):
    day: date


class ReasonCounts(Counts):
    reason: str


class DomainCounts(CountsAndRates):
    domain: str | None
    """None: the smaller domains together."""


class DayBlocks(BaseModel):
    """Blocks and lifts of a day, and both by cause."""

    day: date
    blocked: int
    lifted: int
    causes: dict[str, int]


class Statistics(BaseModel):
    """What happened from the first day to the last."""

    first: date
    last: date
    totals: CountsAndRates
    days: list[DayCounts]
    reasons: list[ReasonCounts]
    domains: list[DomainCounts]
    blocks: list[DayBlocks]
    pending: int
    """Mailings and days that have changed since they were aggregated."""


class MailingCounts(CountsAndRates):
    """A mailing; `success_change` is by how much its success rate is above that of the one before."""

    mailing: str
    name: str | None
    subject: str | None
    at: datetime
    success_change: float | None


@router.get("")
async def statistics(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    mailing: Annotated[Id | None, Query(description="Of one mailing; none: of all")] = None,
    first: Annotated[
        date | None, Query(description=f"First day, in UTC; none: {DEFAULT_DAYS} days before the last")
    ] = None,
    last: Annotated[date | None, Query(description="Last day, in UTC; none: today")] = None,
) -> Statistics:
    """What happened from day to day, in all, by reason and by receiving domain; blocks a day.

    Each thing counts on the day on which it happened. `pending` says how many mailings and days have changed since
    they were aggregated.
    """
    last = last or datetime.now(UTC).date()
    first = first or last - timedelta(days=min(DEFAULT_DAYS - 1, (last - date.min).days))
    if not 0 <= (last - first).days < MAX_DAYS:
        raise HTTPException(422, f"first: at most {MAX_DAYS} days, and not after the last")
    pool = request.app.state.service.pool
    found = await repository.window(pool, caller.tenant_for(tenant), first, last, mailing, MAX_GROUPS)
    totals = {name: sum(day[name] for day in found["days"]) for name in repository.COUNTS}
    return Statistics.model_validate(
        {
            "first": first,
            "last": last,
            "totals": totals | rates(totals),
            "days": [day | rates(day) for day in found["days"]],
            "reasons": [one | {"reason": one["value"]} for one in found["reasons"]],
            "domains": [one | {"domain": one["value"] or None} | rates(one) for one in found["domains"]],
            "blocks": _by_day(found["blocks"]) if mailing is None else [],
            "pending": found["pending"],
        }
    )


@router.get("/mailings")
async def mailings(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Items a page")] = 50,
    q: Annotated[Text, Query(max_length=200, description="A part of name, subject or id")] = "",
    first: Annotated[date | None, Query(description="First day on which they were sent, in UTC")] = None,
    last: Annotated[date | None, Query(description="Last day")] = None,
) -> Page[MailingCounts]:
    """A page of mailings, the last sent first, with what became of them, and the change of the success rate from the
    one before; a filter leaves out the change, since the one before may not be there.
    """
    before = None
    if cursor is not None:
        at, mailing = decode_cursor(cursor, str, str)
        before = (decode_time(at), str(mailing))
    pool = request.app.state.service.pool
    by = MailingFilter(q.strip().lower() or None, first, last)
    found = await repository.page_of_mailings(pool, caller.tenant_for(tenant), before, limit + 1, by)
    page = found[:limit]
    earlier: list[dict[str, Any] | None] = [*found[1:], None] if by == MailingFilter() else [None] * len(page)
    items = [one | rates(one) | {"success_change": change(one, past)} for one, past in zip(page, earlier, strict=False)]
    following = encode_cursor(page[-1]["at"].isoformat(), page[-1]["mailing"]) if len(found) > limit else None
    return Page[MailingCounts].model_validate({"items": items, "next_cursor": following})


def _by_day(blocks: Iterable[Mapping[str, Any]]) -> list[DayBlocks]:
    """Return each day with how many were blocked, and lifted, by cause."""
    found: dict[date, DayBlocks] = {}
    for one in blocks:
        day = found.setdefault(one["day"], DayBlocks(day=one["day"], blocked=0, lifted=0, causes={}))
        day.blocked += one["blocked"]
        day.lifted += one["lifted"]
        day.causes[one["cause"]] = day.causes.get(one["cause"], 0) + one["blocked"] + one["lifted"]
    return list(found.values())
