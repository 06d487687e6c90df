"""The laws, over the real database: the same things in any order, repeated and batched, end in the same state."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.contracts import RetryRequested
from returpost.contracts.cloudevents import Event
from services.classifier.domain.retry import recipient_key
from shared.database.pool import Pool, connect
from tests.classifier.handler_harness import apply, batches, dispatched, empty, lost, table
from tests.classifier.model import START, Expected, Input, address, expected, inputs, message, moment

pytestmark = pytest.mark.services

MUCH_LATER = START + timedelta(days=2)


def oracle(seen: Sequence[Input]) -> dict[tuple[str, str], Expected]:
    """Return the expected table; a block is one of the address, whatever the mailing."""
    recipients = {(i.mailing, i.address) for i in seen}
    rows = {}
    for mailing, n in recipients:
        own = [i for i in seen if i.address == n and (i.mailing == mailing or i.what in ("block", "unblock"))]
        if (row := expected(own)) is not None:
            rows[mailing, address(n)] = row
    return rows


async def play(pool: Pool, seen: Sequence[Input], size: int) -> list[Event[Any]]:
    """Hand in all; return what was told, of repeats the first."""
    told: dict[str, Event[Any]] = {}
    for batch in batches([message(one) for one in seen], size):
        for one in await apply(pool, batch):
            told.setdefault(one.id, one)
    return list(told.values())


def commands_of(rows: dict[tuple[str, str], Expected]) -> set[tuple[Any, ...]]:
    return {(*key, row.attempt, row.due, row.reason) for key, row in rows.items() if row.state == "waiting"}


def as_set(commands: Sequence[Event[RetryRequested]]) -> set[tuple[Any, ...]]:
    return {(d.mailing, d.address, d.attempt, d.due, d.reason) for d in (command.data for command in commands)}


def check_exhausted(rows: dict[tuple[str, str], Expected], told: Sequence[Event[Any]]) -> None:
    times = defaultdict(list)
    for one in told:
        if one.data.exhausted:
            times[one.data.mailing, one.data.address].append(one.data.time)
    for key, row in rows.items():
        if row.state == "exhausted":
            assert max(times[key]) == row.times[-1], key


def test_order_repeats_and_batches_change_nothing(database: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database, "classifier", size=2))

        async def law(seen: Sequence[Input], size: int) -> None:
            await empty(pool)
            wanted = oracle(seen)
            told = await play(pool, seen, size)
            assert await table(pool) == wanted
            check_exhausted(wanted, told)
            assert as_set(await dispatched(pool, MUCH_LATER)) == commands_of(wanted)
            assert await dispatched(pool, MUCH_LATER) == []

        @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(
            st.lists(inputs("full", "full", "grey", "dead", "delivered", "block", "unblock"), min_size=6, max_size=30),
            st.integers(1, 12),
            st.randoms(use_true_random=False),
        )
        def holds(seen: list[Input], size: int, chance: random.Random) -> None:
            runner.run(law(seen, size))
            again = [*seen, *chance.sample(seen, len(seen) // 2)]
            chance.shuffle(again)
            runner.run(law(again, chance.randint(1, 12)))

        holds()
        runner.run(pool.close())


def test_what_was_erased_does_not_come_back(database: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database, "classifier", size=2))

        async def law(seen: Sequence[Input], size: int) -> None:
            await empty(pool)
            await play(pool, seen, size)
            newest = {(i.mailing, i.address): -1 for i in seen}
            for i in seen:
                if i.what == "full":
                    newest[i.mailing, i.address] = max(i.minute, newest[i.mailing, i.address])
            gone = {
                n: max((i.minute for i in seen if i.what == "erase" and i.address == n), default=-1) for n in (0, 1)
            }
            assert {(m, address(n)) for (m, n), minute in newest.items() if minute > gone[n]} == set(await table(pool))
            kept = await pool.fetch("SELECT address FROM blocks")
            blocked = {i.address for i in seen if i.what == "block" and i.minute > gone[i.address]}
            assert {row["address"] for row in kept} <= {address(n).lower() for n in blocked}

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(
            st.lists(inputs("full", "erase", "block"), max_size=14),
            st.integers(1, 6),
            st.randoms(use_true_random=False),
        )
        def holds(seen: list[Input], size: int, chance: random.Random) -> None:
            runner.run(law(seen, size))
            again = [*seen, *chance.sample(seen, len(seen) // 2)]
            chance.shuffle(again)
            runner.run(law(again, size))

        holds()
        runner.run(pool.close())


def test_an_erasure_that_was_not_seen_is_seen_when_the_retry_is_due(database: str) -> None:
    """As when the bounce and the erasure were in two transactions at once."""

    async def run() -> None:
        pool = await connect(database, "classifier", size=2)
        await apply(pool, [message(Input("full", 1, 1))])
        await pool.execute("INSERT INTO erased_addresses SELECT erased_key(tenant, address), times[1] FROM retries")
        assert await dispatched(pool, MUCH_LATER) == []
        assert await table(pool) == {}
        await pool.close()

    asyncio.run(run())


def test_what_settled_a_retry_unseen_is_seen_when_it_is_due(database: str) -> None:
    async def run() -> None:
        pool = await connect(database, "classifier", size=2)
        await apply(pool, [message(Input("full", n, 1)) for n in (1, 2, 3)])
        await pool.execute("INSERT INTO outcomes VALUES ($1, $2, 'recovered')", _key(1), moment(2))
        await pool.execute("INSERT INTO blocks VALUES ('acme', 'u2@example.com', 1, true)")
        (command,) = await dispatched(pool, MUCH_LATER)
        assert command.data.address == address(3)
        states = {written: row.state for (_, written), row in (await table(pool)).items()}
        assert states == {address(1): "recovered", address(2): "dropped", address(3): "requested"}
        asked = await pool.fetch("SELECT written FROM retries WHERE requested_at IS NOT NULL")
        assert [row["written"] for row in asked] == [address(3)]
        await pool.close()

    asyncio.run(run())


def test_a_bounce_from_before_anybody_remembers_is_not_retried(database: str) -> None:
    """A mailbox with the bounces of years may be handed in: nobody knows any more how those mailings ended."""

    async def run() -> None:
        pool = await connect(database, "classifier", size=2)
        await apply(pool, [message(Input("full", 1, 0)), message(Input("full", 2, 24 * 60 * 31))])
        later = moment(24 * 60 * 31 + 60)
        assert [command.data.address for command in await dispatched(pool, later)] == [address(2)]
        assert (await table(pool))["m1", address(1)].state == "dropped"
        await pool.close()

    asyncio.run(run())


def test_a_command_without_an_answer_is_reported_once_and_not_repeated(database: str) -> None:
    async def run() -> None:
        pool = await connect(database, "classifier", size=2)
        patience = timedelta(hours=12)
        await apply(pool, [message(Input("full", n, 0)) for n in (1, 2, 3, 4)])
        asked = moment(10)
        assert len(await dispatched(pool, asked)) == 4
        await apply(pool, [message(Input("delivered", 2, 11))])
        await apply(pool, [message(Input("block", 3, 11))])
        await apply(pool, [message(Input("full", 4, 11))])
        assert await lost(pool, patience, asked + patience) == 0
        assert await lost(pool, patience, asked + patience + timedelta(seconds=1)) == 1
        assert await lost(pool, patience, asked + 2 * patience) == 0
        states = {written: row.state for (_, written), row in (await table(pool)).items()}
        assert states == {address(1): "lost", address(2): "recovered", address(3): "dropped", address(4): "waiting"}
        again = await dispatched(pool, asked + 2 * patience)
        assert [(command.data.address, command.data.attempt) for command in again] == [(address(4), 3)]
        await apply(pool, [message(Input("delivered", 1, 3000))])
        assert (await table(pool))["m1", address(1)].state == "recovered"
        await pool.close()

    asyncio.run(run())


def test_workers_share_what_is_due(database: str) -> None:
    async def run() -> None:
        pool = await connect(database, "classifier", size=6)
        for start in range(0, 1200, 400):
            await apply(pool, [message(Input("full", n, 0)) for n in range(start, start + 400)])
        parts = await asyncio.gather(*(dispatched(pool, MUCH_LATER) for _ in range(6)))
        found = [command.data.address for part in parts for command in part]
        assert len(found) == len(set(found)) == 1200
        await pool.close()

    asyncio.run(run())


def _key(n: int) -> bytes:
    return recipient_key("acme", "m1", address(n).lower())
