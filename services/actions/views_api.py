"""HTTP: views over recipients, returns, complaints and blocked addresses: pages, counts and groups."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request

from returpost.contracts import Filter, Id, Text
from returpost.contracts.enums import BlockCause, Reason
from services.actions import paging
from services.actions.access import PAGE, Reader, Tenant, rows
from services.actions.filters import wanted
from services.actions.plans import Plan
from services.actions.views import Group, Show, Sort, View

router = APIRouter(prefix="/v1/views", tags=["views"])


async def _wanted(
    request: Request,
    caller: Reader,
    view: View,
    tenant: Tenant = None,
    mailing: Annotated[Id | None, Query(description="One mailing; recipients are always those of one")] = None,
    show: Annotated[list[Show] | None, Query(description="What became of them; of several any; none: all")] = None,
    blocked: Annotated[bool | None, Query(description="Whose address is blocked now, or is not")] = None,
    contact: Annotated[bool | None, Query(description="Whose address belongs to a contact, or does not")] = None,
    reason: Reason | None = None,
    domain: Annotated[Text | None, Query(max_length=254)] = None,
    company: Annotated[
        Text | None, Query(max_length=400, description="`value` of a group of companies, or a name")
    ] = None,
    day: Annotated[date | None, Query(description="Of the return, the complaint or the block, in UTC")] = None,
    first: Annotated[date | None, Query(description="Returns, complaints or blocks of this day and later ones")] = None,
    last: Annotated[date | None, Query(description="Of this day and earlier ones")] = None,
    cause: Annotated[BlockCause | None, Query(description="Of the block")] = None,
    type: Annotated[Literal["hard", "soft"] | None, Query(description="Of the return")] = None,
    q: Annotated[
        Text, Query(max_length=200, description="Beginning of an address, or of words of name or company")
    ] = "",
) -> Plan:
    """Return what is asked for. HTTP 422 when it is recipients of no mailing."""
    owner = caller.tenant_for(tenant)
    asked = Filter(
        view=view, mailing=mailing, show=tuple(show or ()), blocked=blocked, contact=contact, reason=reason,
        domain=domain, company=company, day=day, first=first, last=last, cause=cause, type=type, q=q,
    )  # fmt: skip
    plan = Plan(wanted(asked, owner))
    probes = plan.probes()
    if probes is not None:
        (counts,) = await rows(request, probes.sql, *probes.arguments)
        plan.decide(counts)
    return plan


Asked = Annotated[Plan, Depends(_wanted)]


@router.get("/{view}")
async def page(
    request: Request,
    plan: Asked,
    sort: Sort = Sort.ADDRESS,
    descending: bool = False,
    after: Annotated[Text | None, Query(max_length=8_000, description="`next` of the page before")] = None,
    limit: Annotated[int, PAGE] = 100,
) -> dict[str, Any]:
    """A page of a view. Rows without a value of what is sorted by come last, in either direction."""
    found, following = await paging.page(
        request, plan.phases(sort), after, limit, lambda place: plan.page(sort, place, descending=descending)
    )
    return {"rows": found, "next": following}


@router.get("/{view}/count")
async def count(request: Request, plan: Asked) -> dict[str, Any]:
    """How many rows there are: exact up to 10,000, else `exact` is false and there are more."""
    return await paging.count(request, plan.count())


@router.get("/{view}/groups")
async def groups(request: Request, plan: Asked, by: Group = Group.REASON) -> dict[str, Any]:
    """Groups with their counts, the largest first; `value` opens one as a filter.

    Not exact above 100,000 rows, nor above 20,000 of a search that finds more than 100,000.
    """
    statement = plan.groups(by)
    found = await rows(request, statement.sql, *statement.arguments)
    exact = not found or found[0]["seen"] <= plan.grouped
    return {"groups": [{k: v for k, v in row.items() if k != "seen"} for row in found], "exact": exact}
