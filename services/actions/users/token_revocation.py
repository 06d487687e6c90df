"""Revoked tokens are published to all services, which otherwise verify tokens by their signature alone."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from returpost.contracts import TokenRevoked, ids
from services.actions.events import new_event
from services.actions.users import repository
from services.actions.users.repository import RevokedToken
from shared.database.pool import Connection
from shared.http.auth import ALL_TENANTS
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.service import Service

ALL_TENANTS_NAME = "all-tenants"
"""The tenant of events about tokens for all tenants: `*` is no valid name."""
REPUBLISH_SECONDS = 24 * 3600.0


async def revoke_token(service: Service[Any], identity: UUID, tenant: str | None, by: str) -> bool:
    """Revoke a token; false when it is unknown or revoked already."""
    now = datetime.now(UTC)
    return await _revoke(
        service, now, lambda connection: repository.revoke_token(connection, identity, tenant, now, by)
    )


async def revoke_sessions(service: Service[Any], user: str, by: str, but: UUID | None = None) -> None:
    """Revoke the sessions of a user, but for one if it is named."""
    now = datetime.now(UTC)
    await _revoke(service, now, lambda connection: repository.revoke_sessions(connection, user, now, by, but))


async def revoke_own_session(service: Service[Any], identity: UUID, user: str) -> bool:
    """Revoke a session of a user; false when it is not one, or has ended."""
    now = datetime.now(UTC)
    return await _revoke(
        service, now, lambda connection: repository.revoke_own_session(connection, identity, user, now)
    )


async def republish_revocations(uow_factory: UnitOfWorkFactory) -> None:
    """Publish all tokens that are revoked and have not expired: streams expire, and brokers are set up anew."""
    async with uow_factory.begin() as work:
        now = datetime.now(UTC)
        _emit(work, await repository.revoked_tokens(work.connection, now), now)


async def _revoke(
    service: Service[Any], now: datetime, revoke: Callable[[Connection], Awaitable[Sequence[RevokedToken]]]
) -> bool:
    async with service.uow_factory.begin() as work:
        revoked = _emit(work, await revoke(work.connection), now)
    for one in revoked:
        service.revoked.add(one)
    return bool(revoked)


def _emit(work: UnitOfWork, tokens: Sequence[RevokedToken], now: datetime) -> list[TokenRevoked]:
    revoked = []
    for token in tokens:
        data = TokenRevoked(token=str(token.id), expires_at=token.expires_at)
        tenant = ALL_TENANTS_NAME if token.tenant == ALL_TENANTS else token.tenant
        work.emit(new_event(data, id=ids.of_content("token revoked", data.token, now), tenant=tenant))
        revoked.append(data)
    return revoked
