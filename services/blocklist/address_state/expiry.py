"""What becomes due by time alone: blocks end, old bounces no longer count."""

from datetime import datetime

from returpost.contracts import ids
from returpost.contracts.enums import UnblockCause
from services.blocklist.address_state import repository
from services.blocklist.address_state.reevaluate import Trigger, reassess
from shared.messaging.unit_of_work import UnitOfWorkFactory


async def review_due(uow_factory: UnitOfWorkFactory, chunk: int, now: datetime) -> bool:
    """Look at addresses whose standing time has changed, the longest due first; return whether there were any."""
    async with uow_factory.begin() as work:
        due = await repository.due(work.connection, now, chunk)
        if not due:
            return False
        # Another process may have taken the same: then they no longer are due when it is our turn, and nothing changes.
        await repository.touch(work.connection, dict.fromkeys(due))
        triggers = {key: Trigger(ids.of_content("review", *key, due[key]), now) for key in due}
        await reassess(work, triggers, UnblockCause.EXPIRED, now)
    return True
