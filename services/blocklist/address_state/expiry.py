"""What time alone changes: blocks end, old bounces no longer count."""

from datetime import datetime

from returpost.contracts import ids
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state.ports import OpenRepository
from services.blocklist.address_state.records import Trigger
from services.blocklist.address_state.reevaluate import reevaluate
from services.blocklist.address_state.repository.postgres import PostgresRepository
from shared.messaging.unit_of_work import UnitOfWorkFactory


async def expire_due(
    uow_factory: UnitOfWorkFactory,
    limit: int,
    now: datetime,
    open_repository: OpenRepository = PostgresRepository.of,
) -> bool:
    """Evaluate addresses whose state time has changed, the longest due first; return whether there were any."""
    async with uow_factory.begin() as work:
        repository = open_repository(work)
        due = await repository.expired(now, limit)
        if not due:
            return False
        # Another process may have taken the same: then they no longer are due when it is our turn, and nothing changes.
        await repository.lock_or_create(dict.fromkeys(due))
        triggers = {key: Trigger(ids.of_content("review", *key, due[key]), now) for key in due}
        await reevaluate(work, repository, triggers, UnblockCause.EXPIRED, now)
    return True
