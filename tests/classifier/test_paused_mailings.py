"""Retries of a paused mailing wait when they come due, and go on when it is resumed."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.contracts import MailingPause, MailingResume, ids
from returpost.contracts.cloudevents import Event, event
from services.classifier.domain.retry_admin import Action, RetrySelection
from services.classifier.repository import retry_admin
from shared.database.pool import Pool, connect
from tests.classifier.handler_harness import apply, batches, dispatched, empty, table
from tests.classifier.model import Input, address, message, moment
from tests.support.harness import TENANT, eventually

pytestmark = [pytest.mark.services, pytest.mark.anyio]

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
DUE = 10
"""Minutes after which all is due."""


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await connect(database, "classifier", size=3)
    yield opened
    await opened.close()


def said(paused: bool, minute: int, mailing: str = "m1") -> Event[Any]:
    contract: Any = MailingPause if paused else MailingResume
    data = contract(mailing=mailing, sender="news", time=moment(minute), by="ann", why="")
    return event(data, id=ids.of_content(repr(data)), source="/test", tenant=TENANT, subject=mailing)


async def states(pool: Pool) -> dict[str, str]:
    return {written: row.state for (_, written), row in (await table(pool)).items()}


def addresses(commands: Sequence[Event[Any]]) -> set[str]:
    return {command.data.address for command in commands}


async def test_retries_wait_and_go_on(pool: Pool) -> None:
    await apply(pool, [message(Input("full", n, 0)) for n in (1, 2, 3)])
    await apply(pool, [message(Input("full", 4, 0, "m2"))])
    await apply(pool, [said(True, 1)])
    assert addresses(await dispatched(pool, moment(DUE))) == {address(4)}, "another mailing goes on"
    assert await dispatched(pool, moment(DUE)) == [], "what waits is not looked at again and again"
    assert await states(pool) == {address(n): "paused" for n in (1, 2, 3)} | {address(4): "requested"}
    await apply(pool, [message(Input("delivered", 2, 2))])
    await apply(pool, [message(Input("block", 3, 2))])
    await apply(pool, [said(False, 3)])
    (command,) = await dispatched(pool, moment(DUE))
    assert (command.data.address, command.data.due) == (address(1), moment(5))
    assert await states(pool) == {
        address(1): "requested", address(2): "recovered", address(3): "dropped", address(4): "requested",
    }  # fmt: skip


async def test_what_bounces_while_paused_waits_too(pool: Pool) -> None:
    await apply(pool, [said(True, 1)])
    await apply(pool, [message(Input("full", 1, 2))])
    assert await dispatched(pool, moment(2 * DUE)) == []
    await apply(pool, [message(Input("full", 1, 1))])
    assert await dispatched(pool, moment(60)) == []
    await apply(pool, [said(False, 3)])
    (command,) = await dispatched(pool, moment(60))
    assert command.data.attempt == 3


async def test_operator_drops_what_waits(pool: Pool) -> None:
    await apply(pool, [said(True, 1)])
    await apply(pool, [message(Input("full", n, 2)) for n in (1, 2)])
    await dispatched(pool, moment(DUE))
    chosen = RetrySelection(mailing="m1")
    async with pool.acquire() as connection, connection.transaction():
        assert await retry_admin.count(connection, TENANT, Action.DROP, chosen, moment(DUE)) == 2
        assert await retry_admin.apply(connection, TENANT, Action.DROP, chosen, moment(DUE), 10) == 2
    await apply(pool, [said(False, 3)])
    assert await dispatched(pool, moment(DUE)) == []
    async with pool.acquire() as connection, connection.transaction():
        assert await retry_admin.apply(connection, TENANT, Action.RESUME, chosen, moment(DUE), 10) == 2
    assert len(await dispatched(pool, moment(DUE))) == 2


async def test_resume_waits_for_a_dispatch_that_has_seen_the_pause(pool: Pool) -> None:
    """Or a retry would be set aside just after all that were set aside had been released."""
    await apply(pool, [said(True, 1)])
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetch("SELECT FROM paused_mailings FOR SHARE")
        resuming = asyncio.create_task(apply(pool, [said(False, 2)]))
        await eventually(lambda: pool.fetchval(WAITING))
        assert not resuming.done()
    await resuming


async def test_order_and_repeats_of_commands_change_nothing(database: str) -> None:
    pool = await connect(database, "classifier", size=2)
    loop = asyncio.get_running_loop()

    async def law(commands: Sequence[tuple[bool, int]], again: Sequence[tuple[bool, int]], size: int) -> None:
        await empty(pool)
        await apply(pool, [message(Input("full", 1, 0))])
        for batch in batches([said(*one) for one in again], size):
            await apply(pool, batch)
            await dispatched(pool, moment(DUE))
        latest = max(commands, key=lambda one: (one[1], one[0]))
        if latest[0]:
            assert (await states(pool))[address(1)] in ("paused", "requested")
        else:
            assert await states(pool) == {address(1): "requested"}
        held = await pool.fetchval("SELECT paused FROM paused_mailings")
        assert held is latest[0]

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=8),
        st.integers(1, 4),
        st.randoms(use_true_random=False),
    )
    def holds(commands: list[tuple[bool, int]], size: int, chance: random.Random) -> None:
        again = [*commands, *chance.sample(commands, len(commands) // 2)]
        chance.shuffle(again)
        asyncio.run_coroutine_threadsafe(law(commands, again, size), loop).result()

    await asyncio.to_thread(holds)
    await pool.close()
