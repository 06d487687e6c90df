"""HTTP: selections and projects; both are lists of contacts and have the same routes."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Id, Label, ListUpsert, ProjectUpsert, SelectionUpsert, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.enums import ListKind
from services.actions.contacts import csv_import
from services.actions.contacts.collation import folded
from services.actions.contacts.csv_import import ImportResult
from services.actions.contacts.http import NamePart
from services.actions.contacts.lists import repository
from services.actions.contacts.lists.handlers import upsert_lists
from services.actions.operations.repository.audit import AuditEntry, add_audit
from shared.http.dependencies import Reader, Tenant, Writer
from shared.http.pagination import Cursor, Limit, Page, decode_cursor, encode_cursor
from shared.http.preconditions import IdempotencyKey, IfMatch, check_version, etag, identity_of
from shared.messaging.unit_of_work import UnitOfWork

IMPORT_BATCH = 5_000
"""Members in one command."""

Members = Annotated[list[Id], Field(max_length=100_000)]


class NewList(BaseModel):
    """The name of a new list, and its members."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Oslo 2026", "members": ["c1"]}]}
    )

    name: Annotated[Label, Field(min_length=1)]
    members: Members = Field(default_factory=list)


class ListBody(BaseModel):
    """New values of a list; fields that are left out stay."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Oslo 2026", "add": ["c1", "c2"], "remove": ["c3"]}]}
    )

    name: Annotated[Label, Field(min_length=1)] | None = None
    members: Members | None = None
    """All members: contacts that are not named are removed."""
    add: Members = Field(default_factory=list)
    remove: Members = Field(default_factory=list)


class ListItem(BaseModel):
    """A selection or project, without its members."""

    id: str
    name: str | None
    size: int
    """Members."""
    version: int
    made_at: datetime


class Member(BaseModel):
    """A contact in a list."""

    contact: str
    name: str | None
    company: str | None
    former_employee: bool
    since: datetime


class Created(BaseModel):
    """The id of a new list."""

    id: str


def _upsert(kind: ListKind, identity: str, **values: Any) -> ListUpsert:
    values |= {"time": datetime.now(UTC)}
    if kind is ListKind.PROJECT:
        return ProjectUpsert(project=identity, **values)
    return SelectionUpsert(selection=identity, **values)


async def _apply(work: UnitOfWork, upsert: ListUpsert, caller: str, tenant: str, identity: str) -> None:
    cause = ids.of_content(tenant, upsert.TYPE, upsert.model_dump_json())
    await upsert_lists([event(upsert, id=cause, source=f"/users/{caller}", tenant=tenant, subject=identity)], work)


def _add_reads(kind: ListKind, router: APIRouter) -> None:
    @router.get("")
    async def lists(
        request: Request,
        caller: Reader,
        tenant: Tenant = None,
        q: NamePart = "",
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Page[ListItem]:
        """A page of them by name; `q` is any part of the name."""
        name_key, identity = decode_cursor(cursor, str, str) if cursor else (None, None)
        after = None if cursor is None else (str(name_key), str(identity))
        owner, pool = caller.tenant_for(tenant), request.app.state.service.pool
        rows = await repository.page_of_lists(pool, owner, kind, folded(q), after, limit)
        last = encode_cursor(rows[-1]["name_key"], rows[-1]["id"]) if len(rows) == limit else None
        return Page[ListItem].model_validate({"items": rows, "next_cursor": last})

    @router.get("/{identity}")
    async def one(
        request: Request, response: Response, caller: Reader, identity: Id, tenant: Tenant = None
    ) -> ListItem:
        """One of them, without its members."""
        pool = request.app.state.service.pool
        found = await repository.find_list(pool, caller.tenant_for(tenant), kind, identity)
        if found is None:
            raise HTTPException(404, f"{kind.value}: {identity} is not known")
        response.headers["ETag"] = etag(found["version"])
        return ListItem.model_validate(found)

    @router.get("/{identity}/members")
    async def members(
        request: Request,
        caller: Reader,
        identity: Id,
        tenant: Tenant = None,
        former_employees: Annotated[bool, Query(description="Show them too")] = False,
        cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Page[Member]:
        """A page of its members by contact."""
        (after,) = decode_cursor(cursor, str) if cursor else (None,)
        owner, pool = caller.tenant_for(tenant), request.app.state.service.pool
        rows = await repository.page_of_members(
            pool, owner, kind, identity, None if after is None else str(after), former_employees, limit
        )
        last = encode_cursor(rows[-1]["contact"]) if len(rows) == limit else None
        return Page[Member].model_validate({"items": rows, "next_cursor": last})


def _add_writes(kind: ListKind, router: APIRouter) -> None:
    @router.post("", status_code=201)
    async def create(
        request: Request, response: Response, caller: Writer, body: NewList, tenant: Tenant = None,
        key: IdempotencyKey = None,
    ) -> Created:  # fmt: skip
        """Create one; its id is in the answer."""
        owner = caller.tenant_for(tenant)
        identity = identity_of(key, owner, kind.value, caller.name)
        async with request.app.state.service.uow_factory.begin() as work:
            if await repository.version(work.connection, owner, kind, identity) is None:
                upsert = _upsert(kind, identity, name=body.name, add=body.members)
                await _apply(work, upsert, caller.name, owner, identity)
        response.headers["Location"] = f"{request.url.path}/{identity}"
        return Created(id=identity)

    @router.put("/{identity}", status_code=204)
    async def put(
        request: Request, response: Response, caller: Writer, identity: Id, body: ListBody, tenant: Tenant = None,
        if_match: IfMatch = None,
    ) -> None:  # fmt: skip
        """Set its name, and add or remove members."""
        owner = caller.tenant_for(tenant)
        async with request.app.state.service.uow_factory.begin() as work:
            check_version(if_match, await repository.lock_version(work.connection, owner, kind, identity))
            upsert = _upsert(kind, identity, **body.model_dump(), deleted=False)
            await _apply(work, upsert, caller.name, owner, identity)
            response.headers["ETag"] = etag(await repository.version(work.connection, owner, kind, identity) or 0)

    @router.delete("/{identity}", status_code=204)
    async def delete(
        request: Request, caller: Writer, identity: Id, tenant: Tenant = None, if_match: IfMatch = None
    ) -> None:
        """Delete it; its contacts stay."""
        owner = caller.tenant_for(tenant)
        async with request.app.state.service.uow_factory.begin() as work:
            version = await repository.lock_version(work.connection, owner, kind, identity)
            if version is None:
                raise HTTPException(404, f"{kind.value}: {identity} is not known")
            check_version(if_match, version)
            await _apply(work, _upsert(kind, identity, deleted=True), caller.name, owner, identity)

    @router.post("/{identity}/members/import", openapi_extra=csv_import.BODY)
    async def import_members(request: Request, caller: Writer, identity: Id, tenant: Tenant = None) -> ImportResult:
        """Add the contacts of a CSV (the body) by their ids. Rows that are wrong are named; the others are added."""
        owner, body = caller.tenant_for(tenant), await request.body()
        good, bad = await asyncio.to_thread(lambda: csv_import.column(body, "contact"))
        service = request.app.state.service
        for start in range(0, len(good), IMPORT_BATCH):
            upsert = _upsert(kind, identity, add=good[start : start + IMPORT_BATCH])
            async with service.uow_factory.begin() as work:
                await _apply(work, upsert, caller.name, owner, identity)
        entry = AuditEntry(owner, datetime.now(UTC), caller.name, f"{kind.value}_imported", len(good))
        await add_audit(service.pool, entry)
        return ImportResult.of(len(good), bad)


def router_of(kind: ListKind) -> APIRouter:
    """Return the routes of selections, or of projects."""
    router = APIRouter(prefix=f"/v1/{kind.value}s", tags=[f"{kind.value}s"])
    _add_reads(kind, router)
    _add_writes(kind, router)
    return router
