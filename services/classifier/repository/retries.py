"""Retries of soft bounces, and what ends them: outcomes, blocks, erasures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from shared.database import erased_addresses
from shared.database.pool import Connection, Pool
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("retries.sql"))


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
class RecipientHistory:
    """What is known of a recipient that bounced softly; `times` are distinct and ascending."""

    times: list[datetime]
    reason: str


@dataclass(frozen=True, slots=True)
class RetryRow:
    """A retry as a list shows it."""

    recipient: UUID
    mailing: str
    address: str
    sender: str
    reason: str
    soft_bounces: int
    state: str
    due: datetime | None
    requested_at: datetime | None


@dataclass(frozen=True, slots=True)
class RetryCount:
    """Retries in one state."""

    state: str
    count: int
    soft_bounces: int


async def lock_out_erasures(connection: Connection) -> None:
    """Make erasures wait until the transaction ends: they would not see the addresses that it writes. Call it first."""
    await connection.execute(Q["lock_erasures_shared"])


async def merge_soft_bounces(connection: Connection, bounces: Sequence[SoftBounce]) -> dict[bytes, RecipientHistory]:
    """Add bounces, at most one per recipient; return the history of each. Erased recipients are left out."""
    rows = sorted(
        (b.recipient, b.tenant, b.mailing, b.address, b.written, b.sender, b.cause, b.reason, b.time, b.contact or "")
        for b in bounces
    )
    records = await connection.fetch(Q["merge_soft_bounces"], *columns(rows, 10))
    return {record["recipient"]: RecipientHistory(record["times"], record["reason"]) for record in records}


async def schedule(connection: Connection, rows: Sequence[tuple[bytes, bool, int, datetime | None]]) -> None:
    """Write (recipient, exhausted, attempt, due)."""
    await connection.execute(Q["schedule"], *columns(sorted(rows), 4))


async def record_outcomes(connection: Connection, times: dict[bytes, datetime], state: str) -> None:
    """Record that recipients were delivered (`recovered`) or failed for good (`failed`), and end their retries."""
    rows = [(recipient, times[recipient], state) for recipient in sorted(times)]
    await connection.execute(Q["record_outcomes"], *columns(rows, 3))
    await connection.execute(Q["end_retries"], sorted(times))


async def apply_blocks(connection: Connection, states: dict[tuple[str, str], tuple[int, bool, datetime]]) -> None:
    """Keep the block state (version, blocked, time) by (tenant, address) when newer; pending retries follow it."""
    rows = [(*address, *states[address]) for address in sorted(states)]
    tenants, addresses, *rest = columns(rows, 5)
    await connection.execute(Q["apply_blocks"], tenants, addresses, *rest)
    await connection.execute(Q["follow_blocks"], tenants, addresses)


async def erase(connection: Connection, times: dict[tuple[str, str], datetime]) -> None:
    """Delete everything about each (tenant, address) from before its time; late events do not bring it back."""
    rows = [(*address, times[address]) for address in sorted(times)]
    await connection.execute(Q["lock_erasures"])
    await erased_addresses.remember(connection, rows)
    await connection.execute(Q["erase"], *columns(rows, 3))


async def count_by_state(pool: Pool, tenant: str, mailing: str | None) -> list[RetryCount]:
    """Count the retries of a tenant, or of one of its mailings, by state."""
    rows = await pool.fetch(Q["count_retries"], tenant, mailing)
    return [RetryCount(row["state"], row["count"], row["soft_bounces"]) for row in rows]


async def list_page(pool: Pool, tenant: str, state: str, after: bytes | None, limit: int) -> list[RetryRow]:
    """Return up to `limit` retries in one state, by recipient, after a recipient."""
    rows = await pool.fetch(Q["list_retries"], tenant, state, after, limit)
    return [RetryRow(**(dict(row) | {"recipient": UUID(bytes=row["recipient"])})) for row in rows]


async def purge(connection: Connection, before: datetime) -> None:
    """Delete what is older and has ended."""
    for name in ("purge_outcomes", "purge_erased", "purge_retries"):
        await connection.execute(Q[name], before)
