"""Which mailings are paused."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from returpost.contracts.enums import BreachKind
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("pauses.sql"))
DEFAULT_SENDER = "default"
"""Of a mailing of which nobody has said who sends it."""


class Pause(NamedTuple):
    """Whether a mailing is paused since then, and who did it; or who has resumed it."""

    paused: bool
    since: datetime
    by: str
    why: str
    kind: BreachKind | None


class Turned(NamedTuple):
    """A mailing that was paused or resumed: when, and who sends it."""

    time: datetime
    sender: str


async def sender_of(connection: Connection, tenant: str, mailing: str) -> str:
    """Return the system that sends a mailing."""
    return await connection.fetchval(_Q["sender_of"], tenant, mailing) or DEFAULT_SENDER


async def pause(
    connection: Connection, tenant: str, mailing: str, now: datetime, by: str, why: str, kind: BreachKind | None
) -> Turned | None:
    """Pause a mailing; nothing when it is paused already."""
    return _turned(await connection.fetchrow(_Q["pause"], tenant, mailing, now, by, why, kind))


async def resume(connection: Connection, tenant: str, mailing: str, now: datetime, by: str, why: str) -> Turned | None:
    """Resume a mailing; nothing when it is not paused."""
    return _turned(await connection.fetchrow(_Q["resume"], tenant, mailing, now, by, why))


async def pause_of(connection: Connection | Pool, tenant: str, mailing: str) -> Pause | None:
    """Return whether a mailing is paused; nothing when it never was."""
    row = await connection.fetchrow(_Q["pause_of"], tenant, mailing)
    return None if row is None else Pause(*row)


async def page_of_paused(
    pool: Pool, tenant: str, before: tuple[datetime, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Return the mailings that are paused, the last paused first."""
    return [dict(row) for row in await pool.fetch(_Q["page_of_paused"], tenant, *(before or (None, "")), limit)]


def _turned(row: Any) -> Turned | None:
    return None if row is None else Turned(row["since"], row["sender"] or DEFAULT_SENDER)
