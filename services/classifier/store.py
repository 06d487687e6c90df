"""The classifier's SQL. Every function works on a batch; nothing is decided here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from shared.database import Connection, queries

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


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a recipient that bounced softly."""

    times: list[datetime]
    attempt: int
    reason: str


async def record_verdicts(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep (id, tenant, mailing, type, reason, fault, rule, time) of each bounce."""
    await connection.execute(Q["record_verdicts"], *_columns(rows, 8))


async def merge_soft_bounces(connection: Connection, bounces: Sequence[SoftBounce]) -> dict[bytes, Known]:
    """Add the bounces, at most one a recipient, and return what is known of each recipient then."""
    rows = sorted(
        (b.recipient, b.tenant, b.mailing, b.address, b.written, b.sender, b.cause, b.reason, b.time) for b in bounces
    )
    records = await connection.fetch(Q["merge_soft_bounces"], *_columns(rows, 9))
    return {record["recipient"]: Known(record["times"], record["attempt"], record["reason"]) for record in records}


async def schedule(connection: Connection, rows: Sequence[tuple[bytes, str, int, datetime | None]]) -> None:
    """Write (recipient, state, attempt, due)."""
    await connection.execute(Q["schedule"], *_columns(sorted(rows), 4))


async def settle(connection: Connection, times: dict[bytes, datetime], state: str) -> None:
    """Remember that these recipients were delivered (`healed`) or failed for good (`failed`), and end their retries."""
    rows = [(recipient, times[recipient], state) for recipient in sorted(times)]
    columns = _columns(rows, 3)
    await connection.execute(Q["settle"], *columns)
    await connection.execute(Q["end_retries"], *columns)


async def apply_blocks(connection: Connection, states: dict[tuple[str, str], tuple[int, bool]]) -> None:
    """Keep the block state (version, blocked) by (tenant, address) when newer; drop the retries of blocked ones."""
    keys = sorted(states)
    tenants, addresses = [tenant for tenant, _ in keys], [address for _, address in keys]
    versions, blocked = [states[key][0] for key in keys], [states[key][1] for key in keys]
    await connection.execute(Q["apply_blocks"], tenants, addresses, versions, blocked)
    await connection.execute(Q["drop_blocked"], tenants, addresses)


async def erase(connection: Connection, addresses: Sequence[tuple[str, str]]) -> None:
    """Remove all that is kept for each (tenant, address)."""
    await connection.execute(Q["erase"], *_columns(sorted(set(addresses)), 2))


async def take_due(connection: Connection, now: datetime, limit: int) -> list[Row]:
    """Lock and return up to `limit` retries that are due, those that another worker holds left out."""
    records: list[Row] = await connection.fetch(Q["take_due"], now, limit)
    return records


async def end_dispatch(connection: Connection, states: dict[bytes, str], now: datetime) -> None:
    """Write the new state of each retry that was taken."""
    await connection.execute(Q["end_dispatch"], list(states), list(states.values()), now)


async def report_lost(connection: Connection, before: datetime) -> list[Row]:
    """Mark the commands from before a time that were never answered, and return them."""
    records: list[Row] = await connection.fetch(Q["report_lost"], before)
    return records


async def purge(connection: Connection, before: datetime) -> None:
    """Forget what is older and has ended."""
    for name in ("purge_verdicts", "purge_settled", "purge_retries"):
        await connection.execute(Q[name], before)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
