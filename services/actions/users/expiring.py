"""Tokens that end soon are told of in time, so that no sender stops because nobody knew."""

from datetime import datetime, timedelta
from typing import Final

from returpost.contracts import SecretExpiring, ids
from services.actions.events import new_event
from services.actions.users import repository
from services.actions.users.token_revocation import ALL_TENANTS_NAME
from shared.http.auth import ALL_TENANTS
from shared.messaging.unit_of_work import UnitOfWorkFactory
from shared.observability.metrics import TOKENS_ENDING

FIRST: Final = timedelta(days=14)
LAST: Final = timedelta(days=2)
"""Before the end of a token people are told twice."""
SHORT_LIVED: Final = timedelta(days=28)
"""Tokens that live shorter than this are made anew all the time, by whoever uses them."""
WARN_SECONDS: Final = 6 * 3600.0


def notice(issued_at: datetime, expires_at: datetime, now: datetime) -> int:
    """Return which notice a token has been given by now: none (0), the first or the last (2)."""
    left = expires_at - now
    if expires_at - issued_at < SHORT_LIVED or left <= timedelta(0) or left > FIRST:
        return 0
    return 2 if left <= LAST else 1


async def warn_of_expiring(uow_factory: UnitOfWorkFactory, now: datetime) -> int:
    """Publish which tokens end soon; return how many. It is said again until they have ended, under the same ids."""
    ending = 0
    async with uow_factory.begin() as work:
        for token in await repository.tokens_ending(work.connection, now, now + FIRST):
            which = notice(token.issued_at, token.expires_at, now)
            if which == 0:
                continue
            ending += 1
            identity = str(token.id)
            data = SecretExpiring(secret=identity, kind="token", name=token.name, expires_at=token.expires_at, time=now)
            tenant = ALL_TENANTS_NAME if token.tenant == ALL_TENANTS else token.tenant
            id_ = ids.of_content("secret expiring", identity, token.expires_at, which)
            work.emit(new_event(data, id=id_, tenant=tenant))
    TOKENS_ENDING.set(ending)
    return ending
