"""Mailings."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from services.actions.contacts.collation import folded
from services.actions.mailings.domain import Mailing, MailingKey, RecipientKey
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

_Q = queries(Path(__file__).with_name("mailings.sql"))
_FIELDS = [field.name for field in fields(Mailing)]


async def record_mailings(connection: Connection, seen: Mapping[MailingKey, tuple[datetime, datetime]]) -> None:
    """Record first and last time of each mailing."""
    await connection.execute(_Q["record_mailings"], *columns([(*place, *seen[place]) for place in sorted(seen)], 4))


async def record_senders(connection: Connection, senders: Mapping[MailingKey, str]) -> None:
    """Record which system sent each mailing."""
    await connection.execute(_Q["record_senders"], *columns([(*place, senders[place]) for place in sorted(senders)], 3))


async def lock_mailings(connection: Connection, places: Sequence[MailingKey]) -> dict[MailingKey, Mailing]:
    """Lock mailings and return them. `places` are sorted."""
    rows = await connection.fetch(_Q["lock_mailings"], *columns(places, 2))
    return {(row["tenant"], row["mailing"]): Mailing(*(row[name] for name in _FIELDS)) for row in rows}


async def write_mailings(connection: Connection, mailings: Mapping[MailingKey, Mailing]) -> None:
    """Write mailings that are locked."""
    rows = [
        (*place, m.name, m.name_at, m.subject, m.subject_at, m.sent_at, m.sent_told_at, m.version,
         folded(f"{m.name or ''} {m.subject or ''}"))
        for place, m in mailings.items()
    ]  # fmt: skip
    await connection.execute(_Q["write_mailings"], *columns(rows, 10))


async def plan_recipients(connection: Connection, recipients: Sequence[RecipientKey]) -> None:
    """Add recipients that mailings are going to have."""
    await connection.execute(_Q["plan_recipients"], *columns(recipients, 3))


async def find_mailing(pool: Pool | Connection, tenant: str, mailing: str) -> dict[str, Any] | None:
    """Return a mailing; nothing when it does not exist."""
    row = await pool.fetchrow(_Q["mailing"], tenant, mailing)
    return None if row is None else dict(row)


async def page_of_mailings(
    pool: Pool, tenant: str, after: tuple[datetime, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Return mailings, newest first, each with the number of its recipients by status in `counts`."""
    rows = await pool.fetch(_Q["page_of_mailings"], tenant, *(after or (None, None)), limit)
    return [{**row, "counts": orjson.loads(row["counts"])} for row in rows]
