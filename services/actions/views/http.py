"""HTTP: views over recipients, returns, complaints and blocked addresses: pages, counts and groups."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from returpost.contracts import Filter, Id, Text
from returpost.contracts.enums import BlockCause, Reason
from services.actions.views import repository
from services.actions.views.domain import Group, Show, Sort, View, view_query
from services.actions.views.view_queries import ViewSql
from shared.http.dependencies import Reader, Tenant
from shared.http.pagination import Cursor, Limit, Page, json_page

SEARCH = (
    "Beginning of an address, or of words of name or company; after `@` beginning of a domain, after `*` any part of "
    "an address"
)
router = APIRouter(prefix="/v1/views", tags=["views"])


class ViewRow(BaseModel):
    """A recipient of a mailing, or a blocked address."""

    key: str
    """The address as it is compared."""
    address: str
    """The address as it was written."""
    mailing: str | None
    mailing_name: str | None
    status: str | None
    type: Literal["hard", "soft"] | None
    contact: str | None
    name: str | None
    company: str | None
    former_employee: bool
    code: int | None
    enhanced_status: str | None
    reason: str | None
    sent_at: datetime | None
    returned_at: datetime | None
    opened_at: datetime | None
    complained_at: datetime | None
    blocked: bool
    cause: str | None
    return_count: int | None
    blocked_since: datetime | None
    diagnostic: str | None
    rule: str | None
    corrected_to: str | None
    """Of an address that nobody has any more: what it was corrected to."""


class Count(BaseModel):
    """How many rows there are: exact up to 10,000, else `exact` is false and there are more."""

    count: int
    exact: bool


class ViewGroup(BaseModel):
    """Rows of one value; `value` opens the group as a filter."""

    value: str | None
    name: str | None
    count: int


class ViewGroups(BaseModel):
    """Groups, the largest first; not exact above 100,000 rows, nor above 20,000 of a search that finds over 100,000."""

    groups: list[ViewGroup]
    exact: bool


async def _view_sql(
    request: Request,
    caller: Reader,
    view: View,
    tenant: Tenant = None,
    mailing: Annotated[Id | None, Query(description="One mailing; recipients are always those of one")] = None,
    show: Annotated[list[Show] | None, Query(description="Statuses to show; none: all")] = None,
    blocked: Annotated[bool | None, Query(description="Whether the address is blocked now")] = None,
    contact: Annotated[bool | None, Query(description="Whether the address belongs to a contact")] = None,
    reason: Reason | None = None,
    domain: Annotated[Text | None, Query(max_length=254)] = None,
    company: Annotated[
        Text | None, Query(max_length=400, description="`value` of a group of companies, or a name")
    ] = None,
    day: Annotated[date | None, Query(description="Of the return, the complaint or the block, in UTC")] = None,
    first: Annotated[date | None, Query(description="First day of the return, the complaint or the block")] = None,
    last: Annotated[date | None, Query(description="Last day")] = None,
    cause: Annotated[BlockCause | None, Query(description="Of the block")] = None,
    type: Annotated[Literal["hard", "soft"] | None, Query(description="Of the return")] = None,
    status: Annotated[Text | None, Query(max_length=20, description="Of the recipient")] = None,
    name: Annotated[Text | None, Query(max_length=400, description="`value` of a group of names, or a name")] = None,
    return_count: Annotated[int | None, Query(ge=0, le=1_000_000, description="Of a blocked address")] = None,
    q: Annotated[Text, Query(max_length=200, description=SEARCH)] = "",
) -> ViewSql:
    """Return the statements of a view. HTTP 422 for recipients of no mailing."""
    by = Filter(
        view=view, mailing=mailing, show=tuple(show or ()), blocked=blocked, contact=contact, reason=reason,
        domain=domain, company=company, day=day, first=first, last=last, cause=cause, type=type, status=status,
        name=name, return_count=return_count, q=q,
    )  # fmt: skip
    return await repository.probe(request.app.state.service.pool, ViewSql(view_query(by, caller.tenant_for(tenant))))


Filtered = Annotated[ViewSql, Depends(_view_sql)]


@router.get("/{view}", response_model=Page[ViewRow])
async def page(
    request: Request,
    query: Filtered,
    sort: Sort = Sort.ADDRESS,
    descending: bool = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """A page of a view. Rows without a value of the sort column come last, in either direction."""
    rows, next_cursor = await repository.fetch_page(
        request.app.state.service.pool, query, sort, descending=descending, cursor=cursor, limit=limit
    )
    return json_page(rows, next_cursor)


@router.get("/{view}/count")
async def count(request: Request, query: Filtered) -> Count:
    """How many rows there are: exact up to 10,000, else `exact` is false and there are more."""
    number, exact = await repository.fetch_count(request.app.state.service.pool, query)
    return Count(count=number, exact=exact)


@router.get("/{view}/groups")
async def groups(request: Request, query: Filtered, by: Group = Group.REASON) -> ViewGroups:
    """Groups with their counts, the largest first; `value` opens one as a filter.

    Not exact above 100,000 rows, nor above 20,000 of a search that finds more than 100,000.
    """
    found, exact = await repository.fetch_groups(request.app.state.service.pool, query, by)
    return ViewGroups.model_validate({"groups": found, "exact": exact})
