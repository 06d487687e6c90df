"""Selections and projects in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol

from returpost.contracts.enums import ListKind
from services.actions.contacts.collation import folded, order_key
from services.actions.contacts.lists.domain import List, ListKey, MemberKey, Membership
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries
from shared.messaging.unit_of_work import UnitOfWork

_Q = queries(Path(__file__).with_name("lists.sql"))
_FIELDS = [field.name for field in fields(List)]


class ListRepository(Protocol):
    """Selections and projects with their members, within one unit of work."""

    async def lock_or_create(self, kind: ListKind, places: Sequence[ListKey]) -> dict[ListKey, List]:
        """Return these lists, locked; those that did not exist are empty. `places` are sorted."""
        ...

    async def apply_memberships(
        self, kind: ListKind, memberships: Mapping[MemberKey, Membership], replaced: Mapping[ListKey, List]
    ) -> list[tuple[MemberKey, bool]]:
        """Apply memberships that are newer, then end those older than the `members_at` of a list that was `replaced`.

        Returns the changes in order.
        """
        ...

    async def save(self, kind: ListKind, lists: Mapping[ListKey, List], growth: Mapping[ListKey, int]) -> None:
        """Write lists that are locked, and by how many members they grew."""
        ...


class PostgresLists:
    """`ListRepository` over the transaction of a unit of work."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection

    async def lock_or_create(self, kind: ListKind, places: Sequence[ListKey]) -> dict[ListKey, List]:
        keys = columns(places, 2)
        await self._connection.execute(_Q["create_lists"], kind.value, *keys)
        rows = await self._connection.fetch(_Q["lock_lists"], kind.value, *keys)
        return {(row["tenant"], row["list"]): List(*(row[name] for name in _FIELDS)) for row in rows}

    async def apply_memberships(
        self, kind: ListKind, memberships: Mapping[MemberKey, Membership], replaced: Mapping[ListKey, List]
    ) -> list[tuple[MemberKey, bool]]:
        newest = [
            (*place, one.member, one.time) for place, one in sorted(memberships.items(), key=lambda item: item[0])
        ]
        rows = await self._connection.fetch(_Q["apply_members"], kind.value, *columns(newest, 5))
        applied = [((row["tenant"], row["list"], row["contact"]), bool(row["member"])) for row in rows]
        if replaced:
            ends = [(*place, now.members_at) for place, now in replaced.items()]
            rows = await self._connection.fetch(_Q["end_members"], kind.value, *columns(ends, 3))
            applied += [((row["tenant"], row["list"], row["contact"]), False) for row in rows]
        return applied

    async def save(self, kind: ListKind, lists: Mapping[ListKey, List], growth: Mapping[ListKey, int]) -> None:
        rows = [
            (
                *place, one.name, one.name_at, order_key(one.name), folded(one.name or ""), one.deleted,
                one.deleted_at, one.members_at, growth.get(place, 0), one.version,
            )
            for place, one in sorted(lists.items(), key=lambda item: item[0])
        ]  # fmt: skip
        await self._connection.execute(_Q["write_lists"], kind.value, *columns(rows, 11))


async def lock_version(connection: Connection, tenant: str, kind: ListKind, identity: str) -> int | None:
    """Lock a list and return its version; nothing when it does not exist."""
    await connection.fetch(_Q["lock_lists"], kind.value, [tenant], [identity])
    return await version(connection, tenant, kind, identity)


async def version(connection: Connection, tenant: str, kind: ListKind, identity: str) -> int | None:
    """Return the version of a list; nothing when it does not exist."""
    row = await connection.fetchrow(_Q["list"], tenant, kind.value, identity)
    return None if row is None else int(row["version"])


async def find_list(pool: Pool, tenant: str, kind: ListKind, identity: str) -> dict[str, Any] | None:
    """Return a list without its members; nothing when it does not exist."""
    row = await pool.fetchrow(_Q["list"], tenant, kind.value, identity)
    return None if row is None else dict(row)


async def page_of_lists(
    pool: Pool, tenant: str, kind: ListKind, part: str, after: tuple[str, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Return lists by name with their `name_key`; `part` is any part of the name, folded."""
    name_key, identity = after or (None, None)
    rows = await pool.fetch(_Q["list_lists"], tenant, kind.value, part, name_key, identity, limit)
    return [dict(row) for row in rows]


async def page_of_members(
    pool: Pool, tenant: str, kind: ListKind, identity: str, after: str | None, former_employees: bool, limit: int
) -> list[dict[str, Any]]:
    """Return members of a list by contact; former employees only when asked for."""
    rows = await pool.fetch(_Q["members"], tenant, kind.value, identity, after, former_employees, limit)
    return [dict(row) for row in rows]
