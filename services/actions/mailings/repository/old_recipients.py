"""Recipients of old mailings, which are removed after the time that they are kept."""

from datetime import datetime
from pathlib import Path

from shared.database.pool import Connection
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("old_recipients.sql"))
MAILINGS = 100
"""Mailings that are old at once."""


async def choose_old(connection: Connection, before: datetime, now: datetime) -> None:
    """Choose mailings to which nothing has happened since a time; their statistics are not counted any more."""
    await connection.execute(_Q["choose_old"], before, now, MAILINGS)


async def remove_some(connection: Connection, limit: int) -> bool:
    """Remove up to `limit` recipients of one old mailing; tell whether there was one."""
    old = await connection.fetchrow(_Q["take_old"])
    if old is None:
        return False
    removed = await connection.execute(_Q["remove_recipients"], *old, limit)
    if int(removed.rpartition(" ")[2]) < limit:
        await connection.execute(_Q["none_left"], *old)
    return True


async def has_removed(connection: Connection, tenant: str, mailing: str) -> bool:
    """Tell whether the recipients of a mailing are removed, and have those that came since removed as well."""
    removed = bool(await connection.fetchval(_Q["has_removed"], tenant, mailing))
    if removed:
        await connection.execute(_Q["some_left"], tenant, mailing)
    return removed
