"""Erasing addresses from dead letters: every one of a tenant is read, since what they hold has no columns."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from returpost.contracts.addresses import hide_addresses
from services.replay.domain.erasure import Holds, holds_any, without
from shared.database.pool import Connection
from shared.database.queries import columns, queries

_Q = queries(Path(__file__).with_name("erasure.sql"))
AT_ONCE = 50
"""Dead letters in memory, each of up to 16 MB."""


async def erase(connection: Connection, addresses: Iterable[tuple[str, str]]) -> None:
    """Remove addresses (tenant, address) from the dead letters of their tenants, and those that say nothing else."""
    by_tenant: dict[str, set[str]] = {}
    for tenant, address in addresses:
        by_tenant.setdefault(tenant, set()).add(address)
    for tenant, several in sorted(by_tenant.items()):
        await _erase(connection, tenant, holds_any(sorted(several)))


async def _erase(connection: Connection, tenant: str, holds: Holds) -> None:
    gone: list[UUID] = []
    left: list[tuple[Any, ...]] = []
    texts = await connection.cursor(_Q["texts"], [tenant])
    while rows := await texts.fetch(AT_ONCE):
        # Beside the event loop: a dead letter may be large, and health is asked for meanwhile.
        for identity, row in await asyncio.to_thread(_remove, rows, holds):
            if row is None:
                gone.append(identity)
            else:
                left.append((identity, *row))
    await connection.execute(_Q["lock"], sorted([*gone, *(row[0] for row in left)]))
    await connection.execute(_Q["delete"], gone)
    await connection.execute(_Q["rewrite"], *columns(left, 5))


def _remove(rows: list[asyncpg.Record], holds: Holds) -> list[tuple[UUID, tuple[Any, ...] | None]]:
    """Return what is left of those that hold an address: body, error, stack and headers, or nothing."""
    found: list[tuple[UUID, tuple[Any, ...] | None]] = []
    for row in rows:
        body = without(row["body"], holds)
        said = "\n".join((row["error"], row["stack"], row["headers"])).encode()
        if body is None:
            found.append((row["id"], None))
        elif body is not row["body"] or holds(said):
            texts = (hide_addresses(row["error"]), hide_addresses(row["stack"]))
            found.append((row["id"], (body, *texts, "{}" if holds(row["headers"].encode()) else row["headers"])))
    return found
