"""Decay, expiry and exempt streams over the real database: as the notebook has it at every tick, in any order."""

import asyncio
import random
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.contracts import AddressBlocked, AddressUnblocked
from returpost.contracts.cloudevents import Event
from services.blocklist.address_state.expiry import expire_due
from services.blocklist.jobs import job_worker
from services.blocklist.tenant_settings import handlers
from services.blocklist.tenant_settings.changes import SettingsChange, rules_of
from services.blocklist.tenant_settings.domain import Policy
from shared.database.pool import Pool, connect
from tests.blocklist.address_state.calendar import (
    TICKS,
    Happening,
    at,
    expected,
    happenings,
    message,
    policies as any_policies,
)
from tests.blocklist.handler_harness import Transactions, apply, batches

pytestmark = pytest.mark.services

TENANTS = count()
LAST = 12 * TICKS
ADDRESS = "ann@example.com"


def change_to(policy: Policy) -> SettingsChange:
    return SettingsChange(accepted_bounces=policy.accepted_bounces, **rules_of(policy))


def believed(events: Sequence[Event[Any]]) -> tuple[str | None, list[str]]:
    """Return cause and exempt streams that whoever applies only newer versions believes in."""
    told = [one for one in events if isinstance(one.data, AddressBlocked | AddressUnblocked)]
    if not told:
        return None, []
    newest = max(told, key=lambda one: one.data.version).data
    return (newest.cause, newest.exempt_streams) if isinstance(newest, AddressBlocked) else (None, [])


async def standing(pool: Pool, tenant: str) -> tuple[int, str | None, list[str]]:
    row = await pool.fetchrow("SELECT return_count, cause, exempt_streams FROM addresses WHERE tenant = $1", tenant)
    return (row["return_count"], row["cause"], row["exempt_streams"] or []) if row else (0, None, [])


async def live(pool: Pool, seen: list[Happening], policy: Policy, *, settings_last: bool, size: int) -> None:
    """Take all that happened, and let time go on."""
    tenant = f"t{next(TENANTS)}"
    uow_factory = Transactions(pool)

    async def set_policy() -> None:
        async with uow_factory.begin() as work:
            await handlers.save(work, tenant, change_to(policy), "ann", at(LAST))
        while await job_worker.run_next_job(uow_factory, 100, at(LAST)):
            pass

    if not settings_last:
        await set_policy()
    for batch in batches([message(one, tenant, ADDRESS) for one in seen], size):
        uow_factory.published += await apply(pool, batch, lambda: at(LAST))
    if settings_last:
        await set_policy()
    for tick in range(LAST, LAST + 9 * TICKS):
        while await expire_due(uow_factory, 100, at(tick)):
            pass
        wanted = expected(seen, policy, tick)
        assert await standing(pool, tenant) == wanted
        assert believed(uow_factory.published) == wanted[1:]
    moves = [one.id for one in uow_factory.published if isinstance(one.data, AddressBlocked | AddressUnblocked)]
    assert len(set(moves)) == len(moves)


def test_the_database_follows_the_notebook(database: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database, "blocklist", size=2))

        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(happenings(), any_policies(), st.booleans(), st.integers(1, 9), st.randoms(use_true_random=False))
        def law(seen: list[Happening], policy: Policy, settings_last: bool, size: int, chance: random.Random) -> None:
            shuffled = seen + chance.sample(seen, len(seen) // 2)
            chance.shuffle(shuffled)
            runner.run(live(pool, shuffled, policy, settings_last=settings_last, size=size))

        law()
        runner.run(pool.close())
