"""HTTP: saved views, of a user or shared with the tenant."""

import re
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import unquote_plus
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from returpost.contracts import Text, Title
from services.actions.views.saved import repository
from services.actions.views.saved.repository import SavedView
from shared.http.auth import ADMINISTER
from shared.http.dependencies import Reader, Tenant, Writer

MAX_VIEWS = 200
"""Views of one user."""
_NAMES_ADDRESS = re.compile(r"[^\s@&=,]@[^\s@&=,]")

router = APIRouter(prefix="/v1/saved-views", tags=["views"])


def _without_address(query: str) -> str:
    """Refuse a query that searches for an address: erasing that address would have to find it here."""
    if _NAMES_ADDRESS.search(unquote_plus(unquote_plus(query))):
        raise ValueError("names an address; a saved view does not")
    return query


PagePath = Annotated[Text, Field(max_length=300, pattern=r"^/[^?#]*$", description="Path of the page")]


class NewSavedView(BaseModel):
    """A view under a name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"page": "/blocked", "name": "Dead at Gmail", "query": "f.domain=gmail.com"}]},
    )

    page: Annotated[PagePath, AfterValidator(_without_address)]
    name: Annotated[Title, Field(min_length=1, max_length=100)]
    query: Annotated[Text, Field(max_length=2_000), AfterValidator(_without_address)] = ""
    """As in the address of the page: filters, sorting, groups, hidden columns."""
    shared: bool = False
    """Whether all users of the tenant see it."""


class SavedViewItem(BaseModel):
    """A view in the list of a page."""

    id: UUID
    page: str
    name: str
    query: str
    shared: bool
    owner: str
    made_at: datetime


class SavedViews(BaseModel):
    """The views of a page."""

    items: list[SavedViewItem]


class CreatedView(BaseModel):
    """The id of a new view."""

    id: UUID


@router.get("")
async def saved_views(
    request: Request,
    caller: Reader,
    page: Annotated[Text, Query(max_length=300, description="Path of the page")],
    tenant: Tenant = None,
) -> SavedViews:
    """The views of a page: the caller's own, then those that others share."""
    pool = request.app.state.service.pool
    found = await repository.list_views(pool, caller.tenant_for(tenant), page, caller.name)
    return SavedViews.model_validate({"items": found})


@router.post("", status_code=201)
async def save_view(request: Request, caller: Writer, body: NewSavedView, tenant: Tenant = None) -> CreatedView:
    """Save a view. 409 above 200 views of one user."""
    pool, owner = request.app.state.service.pool, caller.tenant_for(tenant)
    if await repository.count_views(pool, owner, caller.name) >= MAX_VIEWS:
        raise HTTPException(409, f"saved views: {MAX_VIEWS} at most; delete one first")
    view = SavedView(
        uuid4(), owner, caller.name, body.page, body.name, body.query, body.shared, made_at=datetime.now(UTC)
    )
    await repository.add_view(pool, view)
    return CreatedView(id=view.id)


@router.delete("/{identity}", status_code=204)
async def delete_view(request: Request, caller: Writer, identity: UUID, tenant: Tenant = None) -> Response:
    """Delete a view of one's own; administrators delete shared ones too."""
    pool, owner = request.app.state.service.pool, caller.tenant_for(tenant)
    administers = ADMINISTER in caller.scopes
    if not await repository.delete_view(pool, owner, identity, caller.name, any_shared=administers):
        raise HTTPException(404, f"saved view: {identity} is not known, or not yours")
    return Response(status_code=204)
