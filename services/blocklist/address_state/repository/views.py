"""What routes read of address states."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from asyncpg import Record

from returpost.contracts.addresses import domain_of
from returpost.contracts.domains import patterns_of
from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.records import AddressRecord, Key
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.checks.domains import repository as domains
from services.blocklist.tenant_settings.domain import Policy
from shared.database.pool import Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("views.sql"))
LOG = queries(Path(__file__).with_name("block_log.sql"))
ERASURES = queries(Path(__file__).with_name("erasures.sql"))

MAX_HISTORY = 1_000
"""Entries of history, and of the log, that are shown of one address."""


@dataclass(frozen=True, slots=True)
class AddressView:
    """All that is known of one address, as of one moment."""

    record: AddressRecord | None
    row: Record | None
    log: Sequence[Record]
    history: Sequence[Record]
    policy: Policy
    erased_at: datetime | None
    """When it was erased, if checks skip it for that."""
    domain_block: Record | None = None
    """What holds of the blocks of its domain."""


async def address(pool: Pool, key: Key, now: datetime) -> AddressView:
    """Return all that is known of one address; state and history are of the same moment."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        repository = PostgresRepository(connection)
        policy = await repository.policy(key[0])
        return AddressView(
            (await repository.get([key])).get(key),
            await connection.fetchrow(Q["address"], *key),
            await connection.fetch(LOG["of_address"], *key, MAX_HISTORY),
            await connection.fetch(Q["history"], *key, MAX_HISTORY),
            policy,
            await connection.fetchval(Q["erased"], *key) if policy.skip_erased else None,
            await domains.closest(connection, key[0], patterns_of(domain_of(key[1])), now),
        )


async def list_blocks(
    pool: Pool,
    tenant: str,
    before: tuple[datetime | None, str | None],
    cause: BlockCause | None,
    reason: Reason | None,
    domain: str | None,
    limit: int,
) -> list[Record]:
    """Return a page of blocked addresses, newest first, before a time and address if they are given."""
    rows: list[Record] = await pool.fetch(Q["list_blocks"], tenant, *before, cause, reason, domain, limit)
    return rows


async def count_blocks(pool: Pool, tenant: str) -> list[Record]:
    """Return blocked addresses by cause and reason, most first."""
    rows: list[Record] = await pool.fetch(Q["count_blocks"], tenant)
    return rows


async def list_scheduled_erasures(
    pool: Pool, tenant: str, after: tuple[datetime | None, str | None], limit: int
) -> list[Record]:
    """Return a page of the scheduled erasures of a tenant, the next that is due first."""
    rows: list[Record] = await pool.fetch(ERASURES["scheduled"], tenant, *after, limit)
    return rows
