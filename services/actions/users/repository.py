"""Users and tokens in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from returpost.contracts.enums import Role
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("users.sql"))

Language = Literal["nb", "en"]


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored."""

    name: str
    tenant: str
    home: str
    role: Role
    password_hash: str | None
    language: Language | None
    disabled: bool


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to store."""

    name: str
    tenant: str
    home: str
    role: Role
    password_hash: str | None
    language: Language | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Token:
    """An API token or a session, without the signed token itself."""

    id: UUID
    kind: Literal["session", "token"]
    tenant: str
    name: str
    scopes: Sequence[str]
    issued_by: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RevokedToken:
    """A token that was revoked before it expires."""

    id: UUID
    tenant: str
    expires_at: datetime


async def find_user(pool: Pool, name: str) -> User | None:
    """Return a user; nothing when it does not exist."""
    row = await pool.fetchrow(_Q["user"], name)
    return None if row is None else User(**dict(row) | {"role": Role(row["role"])})


async def page_of_users(pool: Pool, tenant: str | None, after: str | None, limit: int) -> list[dict[str, Any]]:
    """Return users by name; those of a tenant, or all."""
    return [dict(row) for row in await pool.fetch(_Q["page_of_users"], tenant, after, limit)]


async def add_user(pool: Pool, user: NewUser) -> bool:
    """Add a user; false when the name is taken."""
    values = (user.name, user.tenant, user.home, user.role, user.password_hash, user.language)
    return await pool.fetchval(_Q["add_user"], *values, user.created_at, user.created_by) is not None


async def change_user(
    pool: Pool,
    name: str,
    tenant: str | None,
    *,
    role: Role | None = None,
    disabled: bool | None = None,
    password_hash: str | None = None,
    language: Language | None = None,
) -> bool:
    """Set values of a user (of a tenant, or of any); false when it does not exist."""
    values = (role, disabled, password_hash, language)
    return await pool.fetchval(_Q["change_user"], name, tenant, *values) is not None


async def remove_user(pool: Pool, name: str, tenant: str | None) -> bool:
    """Remove a user (of a tenant, or of any); false when it does not exist."""
    return await pool.fetchval(_Q["remove_user"], name, tenant) is not None


async def replace_hash(pool: Pool, name: str, old_hash: str, new_hash: str) -> None:
    """Replace the hash of a password that stays the same."""
    await pool.execute(_Q["replace_hash"], name, old_hash, new_hash)


async def lock_attempts(
    connection: Connection, subjects: Sequence[bytes], now: datetime, forgotten: datetime
) -> dict[bytes, tuple[int, datetime]]:
    """Return failures and when the last was, of each subject, and keep others from looking until the end.

    Those from before `forgotten` count no more. Subjects are sorted, so that no two wait for each other.
    """
    rows = await connection.fetch(_Q["lock_attempts"], sorted(subjects), now, forgotten)
    return {row["subject"]: (row["failures"], row["failed_at"]) for row in rows}


async def count_attempt(connection: Connection, subjects: Sequence[bytes], now: datetime) -> None:
    """Count a proof that is about to be checked as a failure."""
    await connection.execute(_Q["count_attempt"], subjects, now)


async def take_back_attempt(pool: Pool, subjects: Sequence[bytes]) -> None:
    """Count one failure less."""
    await pool.execute(_Q["take_back_attempt"], subjects)


async def forget_attempts(pool: Pool, subject: bytes) -> None:
    """Forget the failures of a subject."""
    await pool.execute(_Q["forget_attempts"], subject)


async def delete_old_attempts(pool: Pool, before: datetime) -> None:
    """Delete failures that were before a time."""
    await pool.execute(_Q["delete_old_attempts"], before)


async def find_token(pool: Pool, identity: UUID) -> Token | None:
    """Return a token; nothing when it does not exist."""
    row = await pool.fetchrow(_Q["token"], identity)
    return None if row is None else Token(**dict(row))


async def add_token(pool: Pool, token: Token) -> None:
    """Add a token."""
    await pool.execute(
        _Q["add_token"], token.id, token.kind, token.tenant, token.name, list(token.scopes), token.issued_by,
        token.issued_at, token.expires_at,
    )  # fmt: skip


async def extend_token(pool: Pool, identity: UUID, expires_at: datetime, scopes: Sequence[str]) -> None:
    """Set expiry and scopes of a token that is not revoked."""
    await pool.execute(_Q["extend_token"], identity, expires_at, list(scopes))


async def tokens_ending(connection: Connection, now: datetime, until: datetime) -> list[Token]:
    """Return the tokens that end by a time, of all tenants; sessions are none of them."""
    return [Token(**dict(row)) for row in await connection.fetch(_Q["tokens_ending"], now, until)]


async def delete_expired_tokens(pool: Pool, before: datetime) -> None:
    """Delete tokens that expired before a time."""
    await pool.execute(_Q["delete_expired_tokens"], before)


async def page_of_tokens(
    pool: Pool, tenant: str | None, now: datetime, after: tuple[datetime, UUID] | None, limit: int
) -> list[dict[str, Any]]:
    """Return tokens and sessions that are valid, newest first; those of a tenant, or all."""
    rows = await pool.fetch(_Q["page_of_tokens"], tenant, now, *(after or (None, None)), limit)
    return [dict(row) for row in rows]


async def revoke_token(
    connection: Connection, identity: UUID, tenant: str | None, now: datetime, by: str
) -> list[RevokedToken]:
    """Revoke a token; nothing is returned when it is unknown or revoked already."""
    return [RevokedToken(**row) for row in await connection.fetch(_Q["revoke_token"], identity, tenant, now, by)]


async def revoke_sessions(
    connection: Connection, user: str, now: datetime, by: str, but: UUID | None = None
) -> list[RevokedToken]:
    """Revoke the sessions of a user, but for one if it is named."""
    return [RevokedToken(**row) for row in await connection.fetch(_Q["revoke_sessions"], user, now, by, but)]


async def sessions_of(pool: Pool, user: str, now: datetime) -> list[dict[str, Any]]:
    """Return the sessions of a user that go on, newest first, 100 at most."""
    return [dict(row) for row in await pool.fetch(_Q["sessions_of"], user, now)]


async def revoke_own_session(connection: Connection, identity: UUID, user: str, now: datetime) -> list[RevokedToken]:
    """Revoke a session of a user; nothing is returned when it is not one."""
    return [RevokedToken(**row) for row in await connection.fetch(_Q["revoke_own_session"], identity, user, now)]


async def revoked_tokens(connection: Connection, now: datetime) -> list[RevokedToken]:
    """Return the tokens that are revoked and have not expired."""
    return [RevokedToken(**row) for row in await connection.fetch(_Q["revoked_tokens"], now)]
