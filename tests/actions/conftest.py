"""Fixtures of the actions service: itself, and its database."""

from collections.abc import AsyncIterator

import pytest

from services.actions.app import create
from services.actions.settings import Settings
from shared.database.pool import Pool, connect
from tests.support.harness import Harness, RunningService


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
