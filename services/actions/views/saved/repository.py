"""Saved views in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from shared.database.pool import Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("saved_views.sql"))


@dataclass(frozen=True, slots=True)
class SavedView:
    """A view as stored."""

    id: UUID
    tenant: str
    owner: str
    page: str
    name: str
    query: str
    shared: bool
    made_at: datetime


async def list_views(pool: Pool, tenant: str, page: str, user: str) -> list[dict[str, Any]]:
    """Return the views of a page that a user sees, the user's own first."""
    return [dict(row) for row in await pool.fetch(_Q["list_views"], tenant, page, user)]


async def count_views(pool: Pool, tenant: str, user: str) -> int:
    """Return how many views a user has."""
    number: int = await pool.fetchval(_Q["count_views"], tenant, user)
    return number


async def add_view(pool: Pool, view: SavedView) -> None:
    """Store a view."""
    values = (view.id, view.tenant, view.owner, view.page, view.name, view.query, view.shared, view.made_at)
    await pool.execute(_Q["add_view"], *values)


async def delete_view(pool: Pool, tenant: str, id_: UUID, user: str, *, any_shared: bool) -> bool:
    """Delete a view of a user, or any that is shared; tell whether there was one."""
    return await pool.fetchval(_Q["delete_view"], tenant, id_, user, any_shared) is not None
