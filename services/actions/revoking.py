"""Tokens that are good no longer: told to all services, which know tokens by signature alone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from returpost.contracts import TokenRevoked, ids
from returpost.contracts.cloudevents import event
from shared.database.queries import queries
from shared.http.auth import ALL_TENANTS
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory
from shared.service import Service

Q = queries(Path(__file__).with_name("sql") / "users.sql")
SOURCE = "/returpost/actions"
OF_ALL_TENANTS = "all-tenants"
"""An event names a tenant, and `*` is no name."""
SAY_AGAIN_SECONDS = 24 * 3600.0


async def revoke(service: Service[Any], query: str, *values: Any) -> bool:
    """End tokens by a query that returns those it ended; return whether there were any."""
    async with service.uow_factory.begin() as work:
        rows = await work.connection.fetch(Q[query], *values)
        told = _tell(work, rows, datetime.now(UTC))
    for revoked in told:
        service.revoked.add(revoked)
    return bool(rows)


async def say_again(uow_factory: UnitOfWorkFactory) -> None:
    """Tell all that is revoked and not over: streams forget, and brokers are set up anew."""
    async with uow_factory.begin() as work:
        now = datetime.now(UTC)
        _tell(work, await work.connection.fetch(Q["still_revoked"], now), now)


def _tell(work: UnitOfWork, rows: list[Any], now: datetime) -> list[TokenRevoked]:
    told = []
    for row in rows:
        revoked = TokenRevoked(token=str(row["id"]), expires_at=row["expires_at"])
        tenant = OF_ALL_TENANTS if row["tenant"] == ALL_TENANTS else row["tenant"]
        identity = ids.of_content("token revoked", revoked.token, now)
        work.emit(event(revoked, id=identity, source=SOURCE, tenant=tenant))
        told.append(revoked)
    return told
