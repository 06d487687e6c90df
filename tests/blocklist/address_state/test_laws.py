"""The laws, over the real database: order, repeats and batches change nothing; what is told is what is."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from returpost.contracts import AddressBlocked, AddressErase, AddressUnblocked
from returpost.contracts.cloudevents import Event, event
from services.blocklist.jobs import job_worker
from services.blocklist.tenant_settings import handlers
from services.blocklist.tenant_settings.changes import SettingsChange
from shared.database.pool import Pool, connect
from shared.messaging.unit_of_work import UnitOfWork
from tests.blocklist.address_state.model import ABOUT_PERSONS, Input, address, expected, inputs, message, moment
from tests.blocklist.handler_harness import Transactions, apply, batches, clock, states

pytestmark = pytest.mark.services

TENANTS = count()


def told(events: Sequence[Event[Any]]) -> dict[str, str | None]:
    """Return the cause that whoever applies only newer versions believes in, by address."""
    newest: dict[str, tuple[int, str | None]] = {}
    for one in events:
        if isinstance(one.data, AddressBlocked | AddressUnblocked):
            cause = one.data.cause if isinstance(one.data, AddressBlocked) else None
            newest[one.data.address] = max(newest.get(one.data.address, (0, None)), (one.data.version, cause))
    return {key: cause for key, (_, cause) in newest.items()}


def oracle(seen: Sequence[Input], accepted: int = 5) -> dict[str, tuple[int, str | None]]:
    by_address = defaultdict(list)
    for one in seen:
        by_address[address(one.address).lower()].append(one)
    return {key: expected(own, accepted) for key, own in by_address.items()}


def check(seen: Sequence[Input], found: dict[str, tuple[int, str | None]], published: Sequence[Event[Any]]) -> None:
    wanted = oracle(seen)
    nothing = (0, None)
    assert {key: found.get(key, nothing) for key in wanted} == wanted
    believed = told(published)
    assert {key: believed.get(key) for key in wanted} == {key: cause for key, (_, cause) in wanted.items()}
    assert len({one.id for one in published}) == len(published)


def test_order_repeats_and_batches_change_nothing(database: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(connect(database, "blocklist", size=2))

        async def play(seen: Sequence[Input], size: int) -> tuple[dict[str, tuple[int, str | None]], list[Event[Any]]]:
            tenant = f"t{next(TENANTS)}"
            published: dict[str, Event[Any]] = {}
            for batch in batches([message(one, tenant) for one in seen], size):
                for one in await apply(pool, batch):
                    published.setdefault(one.id, one)
            return await states(pool, tenant), list(published.values())

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(inputs(), max_size=40), st.integers(1, 20), st.randoms(use_true_random=False))
        def law(seen: list[Input], size: int, chance: random.Random) -> None:
            found, published = runner.run(play(seen, size))
            check(seen, found, published)
            again = [*seen, *chance.sample(seen, len(seen) // 2)]
            chance.shuffle(again)
            shuffled, republished = runner.run(play(again, chance.randint(1, 20)))
            check(seen, shuffled, republished)

        law()
        runner.run(pool.close())


def random_inputs(n: int, addresses: int) -> list[Input]:
    chance = random.Random(7)
    whats = ["delivered"] * 10 + ["full", "spam", "exhausted"] * 6 + ["dead", "complaint", "manual", "clear"]
    whats += ABOUT_PERSONS
    return [
        Input(chance.choice(whats), chance.randrange(addresses), chance.randrange(1000), f"m{chance.randrange(20)}")
        for _ in range(n)
    ]


def test_workers_on_the_same_addresses_do_not_lock_each_other_out(database: str) -> None:
    async def run() -> None:
        pool = await connect(database, "blocklist", size=6)
        seen = random_inputs(6_000, 150)
        by_type = defaultdict(list)
        for one in seen:
            by_type[one.what].append(message(one, "acme"))
        todo = [batch for kind in by_type.values() for batch in batches(kind, 200)]
        random.Random(3).shuffle(todo)
        todo += todo[::3]

        async def worker() -> list[Event[Any]]:
            published: list[Event[Any]] = []
            while todo:
                published += await apply(pool, todo.pop())
            return published

        published = {one.id: one for part in await asyncio.gather(*(worker() for _ in range(6))) for one in part}
        check(seen, await states(pool, "acme"), list(published.values()))
        await pool.close()

    asyncio.run(run())


async def change(pool: Pool, tenant: str, accepted: int) -> list[Event[Any]]:
    async with pool.acquire() as connection, connection.transaction():
        work = UnitOfWork(connection)
        await handlers.save(work, tenant, SettingsChange(accepted_bounces=accepted), "ann", clock())
        return [outgoing.event for outgoing in work.outgoing]


def test_a_changed_threshold_reaches_every_address_while_bounces_come_in(database: str) -> None:
    async def run() -> None:
        pool = await connect(database, "blocklist", size=6)
        seen = random_inputs(4_000, 300)
        events = [message(one, "acme") for one in seen]
        published: dict[str, Event[Any]] = {}
        effects = Transactions(pool)

        async def take(half: list[Event[Any]]) -> None:
            for batch in batches(half, 50):
                published.update({one.id: one for one in await apply(pool, batch)})

        async def reevaluate() -> None:
            while await job_worker.run_next_job(effects, 37, clock()):
                pass

        await take(events[:1500])
        published.update({one.id: one for one in await change(pool, "acme", 2)})
        await asyncio.gather(take(events[1500:3000]), reevaluate())
        await asyncio.gather(take(events[3000:]), change(pool, "acme", 1))
        await reevaluate()
        published.update({one.id: one for one in effects.published})
        wanted = oracle(seen, accepted=1)
        assert await states(pool, "acme") == wanted
        believed = told(list(published.values()))
        assert {key: believed.get(key) for key in wanted} == {key: cause for key, (_, cause) in wanted.items()}
        rows = await pool.fetch("SELECT state FROM jobs ORDER BY requested_at")
        assert rows[-1]["state"] == "finished"
        await pool.close()

    asyncio.run(run())


def test_an_erased_address_leaves_nothing_and_starts_clean_with_a_higher_version(database: str) -> None:
    async def run() -> None:
        pool = await connect(database, "blocklist", size=2)
        published = await apply(pool, [message(Input("dead", 1, 5, "m1"), "acme")])
        erase = AddressErase(addresses=[address(1), address(2)], time=moment(9), by="ann")
        published += await apply(pool, [event(erase, id="erase-1", source="/test", tenant="acme")])
        for table in ("addresses", "history"):
            assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - two fixed names
        published += await apply(pool, [message(Input("dead", 1, 12, "m2"), "acme")])
        assert [one.type.removeprefix("returpost.address.") for one in published] == [
            "blocked.v1",
            "unblocked.v1",
            "erased.v1",
            "erased.v1",
            "blocked.v1",
        ]
        versions = [one.data.version for one in published if not one.type.endswith("erased.v1")]
        assert versions == sorted(set(versions))
        await pool.close()

    asyncio.run(run())


def test_a_report_that_is_read_again_after_a_clear_stays_in_the_past(database: str) -> None:
    async def run() -> None:
        pool: asyncpg.Pool[asyncpg.Record] = await connect(database, "blocklist", size=2)
        bounce = message(Input("dead", 1, 5, "m1"), "acme")
        await apply(pool, [bounce])
        await apply(pool, [message(Input("clear", 1, 6), "acme")])
        later = bounce.model_copy(update={"data": bounce.data.model_copy(update={"time": moment(9)})})
        await apply(pool, [later, bounce])
        assert await states(pool, "acme") == {"u1@example.com": (0, None)}
        await pool.close()

    asyncio.run(run())
