"""HTTP: statistics, over days and by mailing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request

from returpost.contracts import Id, Time
from services.actions.access import Reader, Tenant, each, rows
from services.actions.statistics.rates import change, rates
from services.actions.statistics.store import COUNTS, Q

MOST_DAYS = 731
DAYS = 30
GROUPS = 100

router = APIRouter(prefix="/v1/statistics", tags=["statistics"])


@router.get("")
async def statistics(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    mailing: Annotated[Id | None, Query(description="Of one mailing; none: of all")] = None,
    first: Annotated[date | None, Query(description=f"First day, in UTC; none: {DAYS} days before the last")] = None,
    last: Annotated[date | None, Query(description="Last day, in UTC; none: today")] = None,
) -> dict[str, Any]:
    """What happened from day to day, in all, by reason and by receiving domain; blocks a day.

    Each thing counts on the day on which it happened. `counting` tells how many mailings and days have changed since
    they were counted.
    """
    owner = caller.tenant_for(tenant)
    last = last or datetime.now(UTC).date()
    first = first or last - timedelta(days=min(DAYS - 1, (last - date.min).days))
    if not 0 <= (last - first).days < MOST_DAYS:
        raise HTTPException(422, f"first: at most {MOST_DAYS} days, and not after the last")
    window = (owner, first, last, mailing)
    (due,), days, reasons, domains, blocks = await each(
        request,
        (Q["due"], owner),  # first: what is counted meanwhile is in what follows
        (Q["days"], *window),
        (Q["split"], *window, "reason", GROUPS),
        (Q["split"], *window, "domain", GROUPS),
        (Q["blocks"], owner, first, last),
    )
    totals = {name: sum(day[name] for day in days) for name in COUNTS}
    return {
        "first": first,
        "last": last,
        "totals": totals | rates(totals),
        "days": [day | rates(day) for day in days],
        "reasons": [{"reason": one.pop("value")} | one for one in reasons],
        "domains": [{"domain": one.pop("value") or None} | one | rates(one) for one in domains],
        "blocks": _by_day(blocks) if mailing is None else [],
        "counting": due["due"],
    }


@router.get("/mailings")
async def mailings(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    before: Annotated[Time | None, Query(description="With `before_mailing`: `next` of the page before")] = None,
    before_mailing: Annotated[Id | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> dict[str, Any]:
    """Mailings, the last sent first, with what became of them, and by how much the success rate rose from the one
    before.

    `next` holds the parameters of the following page.
    """
    found = await rows(request, Q["mailings"], caller.tenant_for(tenant), before, before_mailing or "", limit + 1)
    page = found[:limit]
    earlier: list[dict[str, Any] | None] = [*found[1:], None]
    shown = [one | rates(one) | {"success_change": change(one, past)} for one, past in zip(page, earlier, strict=False)]
    following = {"before": page[-1]["at"], "before_mailing": page[-1]["mailing"]} if len(found) > limit else None
    return {"mailings": shown, "next": following}


def _by_day(blocks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each day with how many were blocked, and lifted, by cause."""
    found: dict[date, dict[str, Any]] = {}
    for one in blocks:
        day = found.setdefault(one["day"], {"day": one["day"], "blocked": 0, "lifted": 0, "causes": Counter()})
        day["blocked"] += one["blocked"]
        day["lifted"] += one["lifted"]
        day["causes"][one["cause"]] += one["blocked"] + one["lifted"]
    return list(found.values())
