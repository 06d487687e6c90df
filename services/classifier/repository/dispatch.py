"""Retries that are due, and how many commands each receiving domain has had."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.classifier.domain.domain_rate_limit import TenantDomain
from services.classifier.repository.pauses import MailingKey
from shared.database.pool import Connection
from shared.database.queries import columns, queries

Q = queries(Path(__file__).with_name("dispatch.sql"))


@dataclass(frozen=True, slots=True)
class DueRetry:
    """A retry that is due, with what may have ended it in the meantime."""

    recipient: bytes
    tenant: str
    mailing: str
    address: str
    sender: str
    reason: str
    attempt: int
    due: datetime
    contact: str | None
    domain: str
    outcome: str | None
    blocked: bool
    erased: bool
    forgotten: bool
    """It bounced so long ago that its outcome would be deleted by now."""


async def take_due(connection: Connection, now: datetime, known_from: datetime, limit: int) -> list[DueRetry]:
    """Lock and return up to `limit` retries that are due; those that another worker has locked are left out."""
    return [DueRetry(**dict(row)) for row in await connection.fetch(Q["take_due"], now, known_from, limit)]


async def hold_paused(connection: Connection, mailings: Iterable[MailingKey]) -> set[MailingKey]:
    """Return which of these mailings are paused; none is resumed before the transaction ends."""
    rows = await connection.fetch(Q["hold_paused"], *columns(sorted(mailings), 2))
    return {(row["tenant"], row["mailing"]) for row in rows}


async def end_dispatch(connection: Connection, states: Mapping[bytes, str], now: datetime) -> None:
    """Write the new state of each locked retry; those that are `erased` are deleted."""
    kept = [pair for pair in states.items() if pair[1] != "erased"]
    await connection.execute(Q["end_dispatch"], *columns(kept, 2), now)
    await connection.execute(Q["remove"], [recipient for recipient, state in states.items() if state == "erased"])


async def lock_domain_counts(
    connection: Connection, domains: Iterable[TenantDomain], minute: datetime
) -> dict[TenantDomain, int]:
    """Lock (tenant, domain) and return how many commands each has had in this minute."""
    rows = await connection.fetch(Q["lock_domain_counts"], *columns(sorted(domains), 2), minute)
    return {(row["tenant"], row["domain"]): row["issued"] for row in rows}


async def add_domain_counts(connection: Connection, issued: Mapping[TenantDomain, int], minute: datetime) -> None:
    """Add to the commands that locked domains have had in this minute."""
    rows = [(*domain, issued[domain]) for domain in sorted(issued)]
    await connection.execute(Q["add_domain_counts"], *columns(rows, 3), minute)


async def postpone(connection: Connection, due: Mapping[bytes, datetime]) -> None:
    """Write new due times of locked retries."""
    await connection.execute(Q["postpone"], *columns(sorted(due.items()), 2))


async def mark_lost(connection: Connection, before: datetime) -> list[tuple[str, str, str]]:
    """Mark the commands from before a time that were never answered; return (tenant, mailing, sender) of each."""
    rows = await connection.fetch(Q["mark_lost"], before)
    return [(row["tenant"], row["mailing"], row["sender"]) for row in rows]


async def purge(connection: Connection, before: datetime) -> None:
    """Delete counts of older minutes."""
    await connection.execute(Q["purge_domain_counts"], before)
