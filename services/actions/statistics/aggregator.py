"""Aggregates what has changed, one mailing or one day of blocks at a time, behind the pipeline."""

from services.actions.statistics.repository import STATISTICS, aggregate_one, schedule_dirty
from shared.database.pool import Pool

MAILING_SHARE = 50
"""A mailing is aggregated again at the earliest after so many times what that took: a fiftieth of one processor at
most goes into a mailing that changes all the time."""
TOTAL_SHARE = 30
"""The pause after each aggregation, as a multiple of what it took: a thirtieth at most goes into all mailings."""


async def aggregate_next(pool: Pool, pause: float) -> float:
    """Aggregate one thing that is dirty, at most once in `pause` seconds; return the seconds to wait."""
    await schedule_dirty(pool, pause, MAILING_SHARE, STATISTICS)
    took = await aggregate_one(pool)
    return pause if took is None else took * TOTAL_SHARE
