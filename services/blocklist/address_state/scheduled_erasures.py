"""Erasures that are scheduled, and can be undone until they are due. Until then nothing else changes."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from returpost.contracts import AddressErase, ids
from services.blocklist.address_state.events import new_event
from services.blocklist.address_state.handlers.erasures import handle_erase
from services.blocklist.address_state.ports import OpenRepository, Repository
from services.blocklist.address_state.records import Key, ScheduledErasure
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.messaging.unit_of_work import UnitOfWorkFactory


async def schedule(repository: Repository, keys: Iterable[Key], by: str, days: int, now: datetime) -> datetime:
    """Have addresses erased in so many days, or sooner if that was scheduled before; return by when all are."""
    due = now + timedelta(days=days)
    return await repository.schedule_erasures([ScheduledErasure(*key, now, by, due) for key in sorted(set(keys))])


async def erase_due(
    uow_factory: UnitOfWorkFactory,
    limit: int,
    clock: Callable[[], datetime],
    *,
    remember: bool,
    open_repository: OpenRepository = PostgresRepository.of,
) -> bool:
    """Erase the addresses that are due as if it were commanded now; return whether there were any."""
    async with uow_factory.begin() as work:
        addresses: dict[tuple[str, str], list[str]] = defaultdict(list)
        for erasure in await open_repository(work).take_due_erasures(clock(), limit):
            addresses[erasure.tenant, erasure.by].append(erasure.address)
        now = clock()
        commands = [
            new_event(
                AddressErase.model_construct(addresses=whose, time=now, by=by),
                id=ids.of_content(AddressErase.TYPE, tenant, by, now, *whose),
                tenant=tenant,
            )
            for (tenant, by), whose in addresses.items()
        ]
        if commands:
            await handle_erase(commands, work, clock, remember=remember, open_repository=open_repository)
    return bool(commands)
