"""Counts what has changed, one mailing or one day of blocks at a time, and no more often than it is worth."""

import time

from services.actions.statistics.store import Q, put_off_due, take_countable
from shared.database.pool import Pool

SHARE = 50
"""A mailing is counted again at the earliest after so many times what counting it took: at most a fiftieth of one
processor and connection goes into a mailing that changes all the time."""
PATIENCE = 600.0
"""Seconds that counting one mailing may take; 20,000 recipients took 0.2 on a busy machine."""


REST = 30
"""Whoever has counted rests for so many times what it took: all mailings together take a thirtieth at most."""


async def count_next(pool: Pool, pause: float) -> float:
    """Count one thing that has changed, at most once in `pause` seconds; return how many to rest before the next."""
    async with pool.acquire() as connection:
        await put_off_due(connection, pause, SHARE)
        async with connection.transaction():
            found = await take_countable(connection)
            if found is None:
                return pause
            began = time.monotonic()
            tenant, counted, name = found
            await connection.execute(Q[_DROPS[counted]], tenant, name)
            await connection.execute(Q[_COUNTS[counted]], tenant, name, timeout=PATIENCE)
            took = time.monotonic() - began
            await connection.execute(Q["was_counted"], tenant, counted, name, took)
    return took * REST


_DROPS = {"mailing": "drop_mailing", "blocks": "drop_blocks"}
_COUNTS = {"mailing": "count_mailing", "blocks": "count_blocks"}
