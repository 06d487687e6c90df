"""Mailings that are paused."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from shared.database.pool import Connection
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("pauses.sql"))

MailingKey = tuple[str, str]
"""Tenant and mailing."""


async def apply(connection: Connection, states: Mapping[MailingKey, tuple[datetime, bool]]) -> None:
    """Keep when each mailing was last paused (true) or resumed, and let the retries go on of those that are resumed."""
    rows = [(*mailing, *states[mailing]) for mailing in sorted(states)]
    await connection.execute(Q["record_pauses"], *columns(rows, 4))
    await connection.execute(Q["release"], *columns(sorted(states), 2))
