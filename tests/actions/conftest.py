"""Fixtures of the actions service: itself, and its database."""

from collections.abc import AsyncIterator, Iterator

import pytest
from argon2 import PasswordHasher

from services.actions.app import create
from services.actions.settings import Settings
from services.actions.users import domain
from shared.database.pool import Pool, connect
from tests.support.harness import Harness, RunningService


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> Iterator[None]:
    """Have a password's hash cost less than the 64 MB and the tenth of a second that slow a guesser."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(domain, "_hasher", PasswordHasher(time_cost=1, memory_cost=1_024, parallelism=1))
        yield


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """The database of the service, without the service."""
    opened = await connect(database, "actions", size=4)
    yield opened
    await opened.close()


@pytest.fixture
async def actions(harness: Harness) -> AsyncIterator[RunningService]:
    """The service, running."""
    async with harness.running(create, Settings, "actions") as running:
        yield running
