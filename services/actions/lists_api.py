"""HTTP: selections and projects, which are both lists of contacts: the same routes for each."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Id, Label, ListUpsert, ProjectUpsert, SelectionUpsert, Text, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.enums import ListKind
from services.actions import csv_import
from services.actions.access import PAGE, Reader, Tenant, Typed, Writer, rows
from services.actions.lists import Q, take_lists
from services.actions.store import Q as STORE
from services.actions.text import folded
from shared.http.preconditions import IdempotencyKey, IfMatch, check_version, etag, identity_of
from shared.messaging.unit_of_work import UnitOfWork

MEMBERS_A_TIME = 5_000

Members = Annotated[list[Id], Field(max_length=100_000)]


class NewList(BaseModel):
    """What it is called, and who is in it."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Oslo 2026", "members": ["c1"]}]}
    )

    name: Annotated[Label, Field(min_length=1)]
    members: Members = Field(default_factory=list)


class ListBody(BaseModel):
    """What is to be known of it; what is left out stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Oslo 2026", "add": ["c1", "c2"], "remove": ["c3"]}]}
    )

    name: Annotated[Label, Field(min_length=1)] | None = None
    members: Members | None = None
    """All members: whoever is not named is a member no more."""
    add: Members = Field(default_factory=list)
    remove: Members = Field(default_factory=list)


def _told(kind: ListKind, identity: str, **values: Any) -> ListUpsert:
    values |= {"time": datetime.now(UTC)}
    if kind is ListKind.PROJECT:
        return ProjectUpsert(project=identity, **values)
    return SelectionUpsert(selection=identity, **values)


async def _take(work: UnitOfWork, told: ListUpsert, caller: str, tenant: str, identity: str) -> None:
    cause = ids.of_content(tenant, told.TYPE, told.model_dump_json())
    await take_lists([event(told, id=cause, source=f"/users/{caller}", tenant=tenant, subject=identity)], work)


def _reading(kind: ListKind, router: APIRouter) -> None:
    @router.get("")
    async def lists(
        request: Request,
        caller: Reader,
        tenant: Tenant = None,
        q: Typed = "",
        after: Annotated[Text | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, PAGE] = 100,
    ) -> dict[str, Any]:
        """A page of them by name; `q` is any part of the name."""
        mark, _, last = (after or "").rpartition("\x1f") if after else ("", "", "")
        found = await rows(
            request,
            Q["list_lists"],
            caller.tenant_for(tenant),
            kind.value,
            folded(q),
            mark if after else None,
            last,
            limit,
        )
        following = f"{found[-1]['mark']}\x1f{found[-1]['id']}" if len(found) == limit else None
        return {f"{kind.value}s": [{k: v for k, v in row.items() if k != "mark"} for row in found], "next": following}

    @router.get("/{identity}")
    async def one(
        request: Request, response: Response, caller: Reader, identity: Id, tenant: Tenant = None
    ) -> dict[str, Any]:
        """One of them, without its members."""
        found = await rows(request, Q["list"], caller.tenant_for(tenant), kind.value, identity)
        if not found:
            raise HTTPException(404, f"{kind.value}: {identity} is not known")
        response.headers["ETag"] = etag(found[0]["version"])
        return found[0]

    @router.get("/{identity}/members")
    async def members(
        request: Request,
        caller: Reader,
        identity: Id,
        tenant: Tenant = None,
        former_employees: Annotated[bool, Query(description="Show them too")] = False,
        after: Text | None = None,
        limit: Annotated[int, PAGE] = 100,
    ) -> dict[str, Any]:
        """A page of its members."""
        owner = caller.tenant_for(tenant)
        found = await rows(request, Q["members"], owner, kind.value, identity, after, former_employees, limit)
        return {"members": found, "next": found[-1]["contact"] if len(found) == limit else None}


def _writing(kind: ListKind, router: APIRouter) -> None:
    async def known(work: UnitOfWork, owner: str, identity: str, if_match: str | None, *, needed: bool = False) -> None:
        await work.connection.fetch(Q["hold_lists"], kind.value, [owner], [identity])
        row = await work.connection.fetchrow(Q["list"], owner, kind.value, identity)
        if row is None and needed:
            raise HTTPException(404, f"{kind.value}: {identity} is not known")
        check_version(if_match, row["version"] if row else None)

    @router.post("", status_code=201)
    async def make(
        request: Request, response: Response, caller: Writer, body: NewList, tenant: Tenant = None,
        key: IdempotencyKey = None,
    ) -> dict[str, str]:  # fmt: skip
        """Make a new one; it gets an id."""
        owner = caller.tenant_for(tenant)
        identity = identity_of(key, owner, kind.value, caller.name)
        async with request.app.state.service.uow_factory.begin() as work:
            if not await work.connection.fetchrow(Q["list"], owner, kind.value, identity):
                told = _told(kind, identity, name=body.name, add=body.members)
                await _take(work, told, caller.name, owner, identity)
        response.headers["Location"] = f"{request.url.path}/{identity}"
        return {"id": identity}

    @router.put("/{identity}", status_code=204)
    async def put(
        request: Request, response: Response, caller: Writer, identity: Id, body: ListBody, tenant: Tenant = None,
        if_match: IfMatch = None,
    ) -> None:  # fmt: skip
        """Tell what is known of it, and who comes and goes."""
        owner = caller.tenant_for(tenant)
        async with request.app.state.service.uow_factory.begin() as work:
            await known(work, owner, identity, if_match)
            told = _told(kind, identity, **body.model_dump(), deleted=False)
            await _take(work, told, caller.name, owner, identity)
            row = await work.connection.fetchrow(Q["list"], owner, kind.value, identity)
            response.headers["ETag"] = etag(row["version"])

    @router.delete("/{identity}", status_code=204)
    async def delete(
        request: Request, caller: Writer, identity: Id, tenant: Tenant = None, if_match: IfMatch = None
    ) -> None:
        """Delete it; its contacts stay."""
        owner = caller.tenant_for(tenant)
        async with request.app.state.service.uow_factory.begin() as work:
            await known(work, owner, identity, if_match, needed=True)
            await _take(work, _told(kind, identity, deleted=True), caller.name, owner, identity)

    @router.post("/{identity}/members/import", openapi_extra=csv_import.BODY)
    async def import_members(request: Request, caller: Writer, identity: Id, tenant: Tenant = None) -> dict[str, Any]:
        """Add the contacts of a CSV (the body) by their ids. Rows that are wrong are named, and stop no other."""
        owner, body = caller.tenant_for(tenant), await request.body()
        good, bad = await asyncio.to_thread(lambda: csv_import.column(body, "contact"))
        for start in range(0, len(good), MEMBERS_A_TIME):
            told = _told(kind, identity, add=good[start : start + MEMBERS_A_TIME])
            async with request.app.state.service.uow_factory.begin() as work:
                await _take(work, told, caller.name, owner, identity)
        what = f"{kind.value}_imported"
        await rows(request, STORE["add_audit"], owner, datetime.now(UTC), caller.name, what, len(good), "", None)
        return csv_import.answer(len(good), bad)


def router_of(kind: ListKind) -> APIRouter:
    """Return the routes of selections, or of projects."""
    router = APIRouter(prefix=f"/v1/{kind.value}s", tags=[f"{kind.value}s"])
    _reading(kind, router)
    _writing(kind, router)
    return router
