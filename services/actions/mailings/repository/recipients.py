"""Recipients with their results and verdicts, and the block states of addresses."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from services.actions.mailings.domain import BlockEvent, BlockState, RecipientKey, RecipientVerdict
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries
from shared.erased_addresses import AddressKey

_Q = queries(Path(__file__).with_name("recipients.sql"))


async def merge_results(connection: Connection, times: Mapping[RecipientKey, Sequence[datetime | None]]) -> None:
    """Keep the latest time of each kind of result, in the order of `RESULTS`, one row a recipient."""
    rows = [(*place, *times[place]) for place in sorted(times)]
    tenants, mailings, addresses, *moments = columns(rows, 10)
    # A column without any time is sent empty: `unnest` fills it up with NULL.
    sent = [column if any(column) else [] for column in moments]
    await connection.execute(_Q["merge_results"], tenants, mailings, addresses, *sent)


async def merge_verdicts(connection: Connection, verdicts: Mapping[RecipientKey, RecipientVerdict]) -> None:
    """Keep the latest verdict of each recipient."""
    rows = [(*place, *verdicts[place]) for place in sorted(verdicts)]
    await connection.execute(_Q["merge_verdicts"], *columns(rows, 12))


async def apply_block_states(connection: Connection, states: Mapping[AddressKey, BlockState]) -> None:
    """Apply block states that are newer."""
    rows = [(*place, *states[place]) for place in sorted(states)]
    await connection.execute(_Q["apply_block_states"], *columns(rows, 9))


async def add_address_events(connection: Connection, history: Mapping[tuple[str, str, int], BlockEvent]) -> None:
    """Add blocks and lifts to the histories of addresses, once each."""
    rows = [(*place, *history[place]) for place in sorted(history)]
    await connection.execute(_Q["add_address_events"], *columns(rows, 10))


async def page_of_recipients(
    pool: Pool, tenant: str, mailing: str, after: str | None, status: str | None, reason: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return recipients of a mailing by address."""
    rows = await pool.fetch(_Q["page_of_recipients"], tenant, mailing, after, status, reason, limit)
    return [dict(row) for row in rows]


async def page_of_returns(
    pool: Pool,
    tenant: str,
    filters: tuple[str | None, bool | None, str | None, bool | None, bool | None],
    before: tuple[datetime | None, str, str],
    limit: int,
) -> list[dict[str, Any]]:
    """Return what was returned, newest first; `filters` are mailing, hard, reason, blocked and whether a contact's."""
    rows = await pool.fetch(_Q["page_of_returns"], tenant, *filters, *before, limit)
    return [dict(row) for row in rows]
