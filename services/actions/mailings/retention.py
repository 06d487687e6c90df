"""Recipients of old mailings are removed, in small transactions; the mailings and their statistics stay."""

from datetime import datetime, timedelta

from services.actions.mailings.repository import old_recipients
from shared.database.pool import Pool

BATCH_ROWS = 5_000
"""Recipients that are removed in one transaction."""


async def remove_old_recipients(pool: Pool, now: datetime, kept: timedelta) -> bool:
    """Remove some recipients of mailings to which nothing has happened for so long; true when more may be left.

    No time at all keeps them for ever.
    """
    if not kept:
        return False
    async with pool.acquire() as connection:
        await old_recipients.choose_old(connection, now - kept, now)
        async with connection.transaction():
            return await old_recipients.remove_some(connection, BATCH_ROWS)
