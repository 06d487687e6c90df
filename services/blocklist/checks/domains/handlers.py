"""Block domains, lift their blocks, and end those whose time is over; each is told at once."""

from datetime import datetime
from itertools import groupby
from operator import itemgetter

from returpost.contracts import DomainBlocked, DomainUnblocked, ids
from returpost.contracts.enums import UnblockCause
from returpost.errors import InvalidMessage
from services.blocklist.address_state.events import SOURCE, new_event
from services.blocklist.checks.domains import repository
from services.blocklist.checks.domains.repository import Command
from shared.messaging.unit_of_work import UnitOfWork, UnitOfWorkFactory

MAX_BLOCKS = 100_000
"""Of a tenant: they are kept in memory, some 300 bytes each."""


async def block(work: UnitOfWork, command: Command, until: datetime | None) -> None:
    """Block domains until a time or until they are lifted. Raises `InvalidMessage` for too many of a tenant."""
    version = await repository.begin_change(work.connection, command.tenant, command.time)
    rows = await repository.block(work.connection, command, until, version)
    if await repository.count(work.connection, command.tenant) > MAX_BLOCKS:
        raise InvalidMessage(f"domains: a tenant can block {MAX_BLOCKS:,}; lift some, or block a pattern as *.example")
    for row in rows:
        data = DomainBlocked(
            domain=row["domain"], version=version, time=row["since"], by=command.by, note=command.note, until=until
        )
        id_ = ids.of_content(data.TYPE, command.tenant, row["domain"], version)
        work.emit(new_event(data, id=id_, tenant=command.tenant))


async def lift(work: UnitOfWork, command: Command, cause: UnblockCause = UnblockCause.LIFTED) -> None:
    """Lift the blocks of these domains; those that are not blocked stay as they are."""
    version = await repository.begin_change(work.connection, command.tenant, command.time)
    for domain in await repository.lift(work.connection, command, cause, version):
        data = DomainUnblocked(
            domain=domain, version=version, cause=cause, time=command.time, by=command.by, note=command.note
        )
        id_ = ids.of_content(data.TYPE, command.tenant, domain, version)
        work.emit(new_event(data, id=id_, tenant=command.tenant))


async def expire_domains(uow_factory: UnitOfWorkFactory, limit: int, now: datetime) -> bool:
    """End the blocks whose time is over; return whether there were any."""
    async with uow_factory.begin() as work:
        rows = await repository.ended(work.connection, now, limit)
        for tenant, ended in groupby(rows, itemgetter("tenant")):
            command = Command(tenant, [row["domain"] for row in ended], now, SOURCE, "")
            await lift(work, command, UnblockCause.EXPIRED)
        return bool(rows)
