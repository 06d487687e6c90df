"""The classifier's SQL. Every function works on a batch; nothing is decided here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.classifier.pace import Place
from shared.database.pool import Connection
from shared.database.queries import queries

Row = asyncpg.Record

Q = queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class SoftBounce:
    """One soft bounce of one recipient."""

    recipient: bytes
    tenant: str
    mailing: str
    address: str
    written: str
    sender: str
    cause: str
    reason: str
    time: datetime
    contact: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a recipient that bounced softly."""

    times: list[datetime]
    reason: str


async def record_verdicts(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep (id, tenant, mailing, type, reason, fault, rule, time, template) of each bounce."""
    await connection.execute(Q["record_verdicts"], *_columns(rows, 9))


async def record_templates(connection: Connection, texts: Mapping[tuple[str, bytes], str]) -> None:
    """Keep the text of each (tenant, template)."""
    if texts:
        rows = [(*place, texts[place]) for place in sorted(texts)]
        await connection.execute(Q["record_templates"], *_columns(rows, 3))


async def merge_soft_bounces(connection: Connection, bounces: Sequence[SoftBounce]) -> dict[bytes, Known]:
    """Add the bounces, at most one a recipient, and return what is known of each recipient then; nothing of erased."""
    rows = sorted(
        (b.recipient, b.tenant, b.mailing, b.address, b.written, b.sender, b.cause, b.reason, b.time, b.contact or "")
        for b in bounces
    )
    records = await connection.fetch(Q["merge_soft_bounces"], *_columns(rows, 10))
    return {record["recipient"]: Known(record["times"], record["reason"]) for record in records}


async def schedule(connection: Connection, rows: Sequence[tuple[bytes, bool, int, datetime | None]]) -> None:
    """Write (recipient, exhausted, attempt, due)."""
    await connection.execute(Q["schedule"], *_columns(sorted(rows), 4))


async def settle(connection: Connection, times: dict[bytes, datetime], state: str) -> None:
    """Remember that these recipients were delivered (`healed`) or failed for good (`failed`), and end their retries."""
    rows = [(recipient, times[recipient], state) for recipient in sorted(times)]
    await connection.execute(Q["settle"], *_columns(rows, 3))
    await connection.execute(Q["end_retries"], sorted(times))


async def apply_blocks(connection: Connection, states: dict[tuple[str, str], tuple[int, bool, datetime]]) -> None:
    """Keep the block state (version, blocked, time) by (tenant, address) when newer; pending retries follow it."""
    rows = [(*place, *states[place]) for place in sorted(states)]
    tenants, addresses, *rest = _columns(rows, 5)
    await connection.execute(Q["apply_blocks"], tenants, addresses, *rest)
    await connection.execute(Q["follow_blocks"], tenants, addresses)


async def erase(connection: Connection, times: dict[tuple[str, str], datetime]) -> None:
    """Remove all that is kept for each (tenant, address) from before its time, and what may still come of that."""
    columns = _columns([(*place, times[place]) for place in sorted(times)], 3)
    await connection.execute(Q["remember_erasures"], *columns)
    await connection.execute(Q["erase"], *columns)


async def take_due(connection: Connection, now: datetime, known_from: datetime, limit: int) -> list[Row]:
    """Lock and return up to `limit` retries that are due, those that another worker holds left out."""
    records: list[Row] = await connection.fetch(Q["take_due"], now, known_from, limit)
    return records


async def end_dispatch(connection: Connection, states: dict[bytes, str], now: datetime) -> None:
    """Write the new state of each retry that was taken; those that are `erased` go."""
    await connection.execute(Q["end_dispatch"], *_columns([p for p in states.items() if p[1] != "erased"], 2), now)
    await connection.execute(Q["remove"], [recipient for recipient, state in states.items() if state == "erased"])


async def hold_pace(connection: Connection, places: Iterable[Place], minute: datetime) -> dict[Place, int]:
    """Take (tenant, domain) in hand and return how many commands each has had in this minute."""
    rows = await connection.fetch(Q["hold_pace"], *_columns(sorted(places), 2), minute)
    return {(row["tenant"], row["domain"]): row["issued"] for row in rows}


async def keep_pace(connection: Connection, issued: Mapping[Place, int], minute: datetime) -> None:
    """Add to the commands that places in hand have had in this minute."""
    rows = [(*place, issued[place]) for place in sorted(issued)]
    await connection.execute(Q["keep_pace"], *_columns(rows, 3), minute)


async def postpone(connection: Connection, later: Mapping[bytes, datetime]) -> None:
    """Write when retries that were taken are due instead."""
    await connection.execute(Q["postpone"], *_columns(sorted(later.items()), 2))


async def report_lost(connection: Connection, before: datetime) -> list[Row]:
    """Mark the commands from before a time that were never answered, and return them."""
    records: list[Row] = await connection.fetch(Q["report_lost"], before)
    return records


async def purge(connection: Connection, before: datetime) -> None:
    """Forget what is older and has ended."""
    for name in ("purge_verdicts", "purge_settled", "purge_erased", "purge_retries", "purge_templates", "purge_pace"):
        await connection.execute(Q[name], before)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
