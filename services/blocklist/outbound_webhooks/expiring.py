"""Old secrets of webhooks that soon sign no more are told of: a receiver without the new one refuses from then on."""

from datetime import datetime, timedelta
from typing import Final

from returpost.contracts import SecretExpiring, ids
from services.blocklist.address_state.events import new_event
from services.blocklist.outbound_webhooks import repository
from shared.messaging.unit_of_work import UnitOfWorkFactory

NOTICE: Final = timedelta(hours=12)
WARN_SECONDS: Final = 3600.0


async def warn_of_expiring(uow_factory: UnitOfWorkFactory, now: datetime) -> None:
    """Publish which old secrets end soon. It is said again until they have ended, under the same ids."""
    async with uow_factory.begin() as work:
        for row in await repository.secrets_ending(work.connection, now, now + NOTICE):
            identity, until = str(row["id"]), row["old_secret_until"]
            data = SecretExpiring(secret=identity, kind="webhook-secret", name=row["name"], expires_at=until, time=now)
            id_ = ids.of_content("secret expiring", identity, until)
            work.emit(new_event(data, id=id_, tenant=row["tenant"]))
