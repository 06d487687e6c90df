"""What the routes of actions have in common: who may, for which tenant, how much at once."""

from typing import Annotated, Any

from fastapi import Depends, Query, Request

from returpost.contracts import Name, Text
from shared.database.pool import Pool
from shared.http.auth import Caller, requires

PAGE = Query(ge=1, le=1000, description="Rows a page")
Reader = Annotated[Caller, Depends(requires("read"))]
Writer = Annotated[Caller, Depends(requires("write"))]
Tenant = Annotated[Name | None, Query(description="Whose data; for callers that may work for all tenants")]
Typed = Annotated[Text, Query(max_length=200, description="A part of the name, in any case and without accents too")]


def pool_of(request: Request) -> Pool:
    """Return the database of the service that was asked."""
    pool: Pool = request.app.state.service.pool
    return pool


async def rows(request: Request, statement: str, *arguments: Any) -> list[dict[str, Any]]:
    """Return what a statement finds."""
    (found,) = await each(request, (statement, *arguments))
    return found


async def each(request: Request, *asked: tuple[Any, ...]) -> list[list[dict[str, Any]]]:
    """Return what each of some statements, with its arguments, finds: on one connection, so that it is waited for once
    while much is going on."""
    async with pool_of(request).acquire() as connection:
        return [[dict(row) for row in await connection.fetch(*one)] for one in asked]
