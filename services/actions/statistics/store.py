"""The SQL of statistics. Nothing is decided here."""

from collections.abc import Iterable
from pathlib import Path

import asyncpg

from services.actions.store import Place, columns
from shared.database.pool import Connection
from shared.database.queries import queries

COUNTS = ("sent", "delivered", "hard", "soft", "complained", "opened", "unsubscribed", "healed")
"""What is counted, each recipient once a mailing."""

_SUMS = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in COUNTS)

Q = {
    name: sql.replace("{counts}", _SUMS)
    for name, sql in queries(Path(__file__).parents[1] / "sql" / "statistics.sql").items()
}


async def note_mailings(connection: Connection, mailings: Iterable[Place]) -> None:
    """Have these (tenant, mailing) counted again; said after what changed them, in the same transaction."""
    await connection.execute(Q["note_changes"], "mailing", *columns(sorted(set(mailings)), 2))


async def note_block_days(connection: Connection, days: Iterable[tuple[str, str]]) -> None:
    """Have the blocks of these (tenant, day as written by ISO 8601) counted again."""
    await connection.execute(Q["note_changes"], "blocks", *columns(sorted(set(days)), 2))


async def put_off_due(connection: Connection, seconds: float, share: int) -> None:
    """Move what has changed to what is counted as soon as nothing that changed it is under way any more."""
    async with connection.transaction():
        rows = await connection.fetch(Q["take_due"], seconds, share)
        if rows:
            await connection.execute(Q["put_off"], *columns([tuple(row) for row in rows], 3))
    await connection.execute(Q["set_horizons"])


async def take_countable(connection: Connection) -> asyncpg.Record | None:
    """Take one thing in hand that can be counted now."""
    return await connection.fetchrow(Q["take_countable"])
