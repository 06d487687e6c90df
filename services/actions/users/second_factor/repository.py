"""Second factors in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.database.pool import Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("second_factors.sql"))


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The second factor of a user; the secret is encrypted."""

    secret: bytes
    confirmed_at: datetime | None
    last_step: int
    recovery_codes: int


async def find(pool: Pool, name: str) -> SecondFactor | None:
    """Return the second factor of a user, in use or being set up."""
    row = await pool.fetchrow(_Q["find"], name)
    return None if row is None else SecondFactor(**dict(row))


async def begin(pool: Pool, name: str, secret: bytes) -> bool:
    """Store a secret that is to be confirmed; false when one is in use."""
    return await pool.fetchval(_Q["begin"], name, secret) is not None


async def confirm(pool: Pool, name: str, secret: bytes, now: datetime, step: int, hashes: Sequence[bytes]) -> bool:
    """Take a secret into use, with its recovery codes; false when it was replaced or confirmed meanwhile."""
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(_Q["confirm"], name, secret, now, step) is None:
            return False
        await connection.execute(_Q["add_recovery_codes"], name, list(hashes))
        return True


async def take_step(pool: Pool, name: str, step: int, secret: bytes) -> bool:
    """Take the code of a step, and keep the secret as it is encrypted now; false when that or a later one was taken."""
    return await pool.fetchval(_Q["take_step"], name, step, secret) is not None


async def take_recovery_code(pool: Pool, name: str, hash_: bytes) -> bool:
    """Take a recovery code; false when there is none such."""
    return await pool.fetchval(_Q["take_recovery_code"], name, hash_) is not None


async def remove(pool: Pool, name: str, tenant: str | None) -> bool:
    """Remove the second factor of a user (of a tenant, or of any); false when there was none in use."""
    return await pool.fetchval(_Q["remove"], name, tenant) is not None
