"""What handlers rely on in a repository of address states: in memory and in PostgreSQL alike."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any
from uuid import uuid4

import pytest

from returpost.contracts.enums import BlockCause, Reason, UnblockCause
from services.blocklist.address_state.domain import FOREVER, NEVER, AddressState, Block, Bounce, Facts
from services.blocklist.address_state.ports import OpenRepository, Repository
from services.blocklist.address_state.records import (
    HistoryEntry,
    Key,
    LastLogEntry,
    LogEntry,
    ScheduledErasure,
    Trigger,
)
from services.blocklist.address_state.repository.postgres import PostgresRepository
from services.blocklist.tenant_settings.domain import Policy
from shared.database.pool import connect
from shared.messaging.unit_of_work import UnitOfWork
from tests.blocklist.address_state.model import moment
from tests.blocklist.handler_harness import Transactions
from tests.blocklist.in_memory import Database, InMemoryUnitOfWorkFactory

pytestmark = pytest.mark.anyio

ANN, BOB, CID = (("acme", f"{name}@example.com") for name in ("ann", "bob", "cid"))
NOON = moment(0)
BLOCKED = AddressState(1, Block(BlockCause.DEAD_ADDRESS, NOON, Reason.USER_UNKNOWN, "m1", None, ("service",)), NOON)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


@dataclass
class Store:
    """One implementation: its units of work and its repository."""

    uow_factory: Any
    open: OpenRepository

    async def run(self, change: Callable[[Repository], Any]) -> Any:
        """Run one unit of work."""
        async with self.uow_factory.begin() as work:
            return await change(self.open(work))


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.services)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        factory = InMemoryUnitOfWorkFactory(Database())
        yield Store(factory, factory.open)
        return
    pool = await connect(request.getfixturevalue("database"), "blocklist", size=2)
    try:
        yield Store(Transactions(pool), PostgresRepository.of)
    finally:
        await pool.close()


def entry(n: int, minutes: int, **values: Any) -> HistoryEntry:
    base = HistoryEntry(
        *ANN, uuid4(), at(minutes), True, f"m{n}", Reason.USER_UNKNOWN, "recipient", "rule", "5.1.1", "gone", "news",
        "192.0.2.1", 0.7,
    )  # fmt: skip
    return replace(base, **values)


def logged(version: int, *, blocked: bool) -> LogEntry:
    cause = BlockCause.DEAD_ADDRESS if blocked else UnblockCause.CLEARED
    return LogEntry(*ANN, version, NOON, blocked, cause, None, f"m{version}", None, "blocklist", "")


async def test_lock_or_create_returns_whose_count_a_newer_delivery_reduces(store: Store) -> None:
    assert await store.run(lambda repository: repository.lock_or_create({ANN: at(1), BOB: None})) == []
    await store.run(lambda repository: repository.save([(ANN, 1, BLOCKED), (BOB, 1, AddressState())]))
    assert await store.run(lambda repository: repository.lock_or_create({ANN: at(1), BOB: at(1)})) == []
    assert await store.run(lambda repository: repository.lock_or_create({ANN: at(2), BOB: at(2)})) == [ANN]
    assert await store.run(lambda repository: repository.lock_or_create({ANN: at(1)})) == []
    found = await store.run(lambda repository: repository.get([ANN, BOB, CID]))
    assert {key: record.facts.delivered for key, record in found.items()} == {ANN: at(2), BOB: at(2)}


async def test_lock_existing_creates_nothing(store: Store) -> None:
    await store.run(lambda repository: repository.lock_or_create({ANN: None, BOB: None}))
    await store.run(lambda repository: repository.save([(ANN, 7, BLOCKED)]))
    existing = await store.run(lambda repository: repository.lock_existing([CID, BOB, ANN]))
    assert existing == {ANN: True, BOB: False}
    assert CID not in await store.run(lambda repository: repository.get([CID]))


async def test_clear_keeps_the_last_and_undo_puts_back_the_one_before(store: Store) -> None:
    async def cleared() -> datetime:
        found = await store.run(lambda repository: repository.get([ANN]))
        time: datetime = found[ANN].facts.cleared
        return time

    for minutes, by in ((3, "ann"), (1, "bob"), (3, "aaa"), (5, "ann")):
        async with store.uow_factory.begin() as work:
            await store.open(work).clear({ANN: (at(minutes), by, "")})
    assert await cleared() == at(5)
    await store.run(lambda repository: repository.undo({ANN: at(4)}))
    assert await cleared() == at(5)
    await store.run(lambda repository: repository.undo({ANN: at(5)}))
    assert await cleared() == at(3)
    await store.run(lambda repository: repository.undo({ANN: at(3)}))
    assert await cleared() == NEVER


async def test_block_keeps_the_last_and_undo_puts_back_the_one_before(store: Store) -> None:
    await store.run(lambda repository: repository.block({ANN: (at(2), "ann", "left", at(60))}))
    await store.run(lambda repository: repository.block({ANN: (at(1), "bob", "", None)}))
    record = (await store.run(lambda repository: repository.get([ANN])))[ANN]
    assert (record.facts.manual, record.facts.manual_until) == (at(2), at(60))
    assert (record.manual_by, record.manual_note) == ("ann", "left")
    await store.run(lambda repository: repository.block({ANN: (at(3), "cid", "", None)}))
    await store.run(lambda repository: repository.undo({ANN: at(3)}))
    record = (await store.run(lambda repository: repository.get([ANN])))[ANN]
    assert (record.facts.manual, record.facts.manual_until) == (at(2), FOREVER)


async def test_undone_it_stays_undone_however_often_both_come_and_in_any_order(store: Store) -> None:
    """An outbox may publish the command once more after its undo."""

    async def done(repository: Repository, kind: str, key: Key) -> None:
        if kind == "clear":
            await repository.clear({key: (at(3), "ann", "")})
        elif kind == "block":
            await repository.block({key: (at(3), "ann", "", None)})
        else:
            await repository.bulk_clear("acme", [key[1]], Trigger("3", at(3), "ann", "op", ""), at(9), 9)

    kinds, orders = ("clear", "block", "bulk_clear"), ("du", "ud", "dud", "udd", "dudu", "uddu")
    for kind, order in product(kinds, orders):
        key = ("acme", f"{kind}-{order}@example.com")
        await store.run(partial(created, key=key))
        for step in order:
            change = partial(done, kind=kind, key=key) if step == "d" else partial(undone, key=key)
            await store.run(change)
        facts = await store.run(partial(facts_of, key=key))
        assert (facts.cleared, facts.manual) == (NEVER, NEVER), key
        await store.run(partial(cleared_again, key=key))
        assert (await store.run(partial(facts_of, key=key))).cleared == at(5), "another command"


async def created(repository: Repository, key: Key) -> None:
    await repository.lock_or_create({key: None})


async def facts_of(repository: Repository, key: Key) -> Facts:
    return (await repository.get([key]))[key].facts


async def cleared_again(repository: Repository, key: Key) -> None:
    await repository.clear({key: (at(5), "bob", "")})


async def undone(repository: Repository, key: Key) -> None:
    await repository.undo({key: at(3)})


async def test_bulk_clear_leaves_those_of_which_something_later_is_known(store: Store) -> None:
    later, manual, cleared = (("acme", f"{name}@example.com") for name in ("later", "manual", "cleared"))
    everybody = [ANN, BOB, later, manual, cleared]
    await store.run(lambda repository: repository.lock_or_create(dict.fromkeys(everybody)))
    await store.run(lambda repository: repository.save([(key, 3, BLOCKED) for key in everybody if key != BOB]))
    await store.run(
        lambda repository: repository.add_history([entry(1, 1), entry(2, 11, tenant="acme", address=later[1])])
    )
    await store.run(lambda repository: repository.block({manual: (at(11), "ann", "", None)}))
    await store.run(lambda repository: repository.clear({cleared: (at(11), "ann", "")}))
    trigger = Trigger("id", at(10), "ann", "op-1", "list cleaned")
    found = await store.run(
        lambda repository: repository.bulk_clear("acme", [key[1] for key in everybody], trigger, at(12), 4)
    )
    assert sorted(found) == [(ANN[1], 4, True), (BOB[1], 0, False)]
    records = await store.run(lambda repository: repository.get(everybody))
    assert records[ANN].state == AddressState()
    assert (records[ANN].version, records[ANN].facts) == (4, Facts((), NEVER, at(10), NEVER, FOREVER))
    assert [records[key].state for key in (later, manual, cleared)] == [BLOCKED] * 3
    last = await store.run(lambda repository: repository.last_logged([ANN, BOB]))
    assert last == {ANN: LastLogEntry(False, "cleared", at(10), "op-1")}


async def test_get_returns_the_history_since_the_last_clear(store: Store) -> None:
    await store.run(lambda repository: repository.clear({ANN: (at(2), "ann", "")}))
    await store.run(
        lambda repository: repository.add_history([entry(1, 1), entry(2, 2), entry(3, 3), entry(4, 4, confidence=None)])
    )
    facts = (await store.run(lambda repository: repository.get([ANN])))[ANN].facts
    third = Bounce("m3", Reason.USER_UNKNOWN, at(3), True, "news", "192.0.2.1", 0.7)
    assert sorted(facts.bounces, key=lambda one: one.time) == [
        third,
        replace(third, mailing="m4", time=at(4), confidence=1.0),
    ]


async def test_history_that_comes_again_is_new_only_when_it_is_older(store: Store) -> None:
    first = entry(1, 5)
    await store.run(lambda repository: repository.lock_or_create({ANN: None}))
    assert await store.run(lambda repository: repository.add_history([first, replace(first, time=at(6))])) == {first.id}
    assert await store.run(lambda repository: repository.add_history([first, replace(first, time=at(7))])) == set()
    older = replace(first, time=at(4), mailing="m0")
    assert await store.run(lambda repository: repository.add_history([older])) == {first.id}
    (bounce,) = (await store.run(lambda repository: repository.get([ANN])))[ANN].facts.bounces
    assert (bounce.time, bounce.mailing) == (at(4), "m0")


async def test_save_and_expired(store: Store) -> None:
    states = {key: replace(BLOCKED, changes_at=time) for key, time in ((ANN, at(2)), (BOB, at(1)), (CID, at(9)))}
    await store.run(lambda repository: repository.lock_or_create(dict.fromkeys(states)))
    await store.run(
        lambda repository: repository.save([(key, n, state) for n, (key, state) in enumerate(states.items())])
    )
    records = await store.run(lambda repository: repository.get(list(states)))
    assert {key: (record.version, record.state) for key, record in records.items()} == {
        key: (n, state) for n, (key, state) in enumerate(states.items())
    }
    assert list((await store.run(lambda repository: repository.expired(at(2), 10))).items()) == [
        (BOB, at(1)),
        (ANN, at(2)),
    ]
    assert await store.run(lambda repository: repository.expired(at(2), 1)) == {BOB: at(1)}


async def test_last_logged_is_of_the_highest_version(store: Store) -> None:
    await store.run(lambda repository: repository.block({ANN: (at(1), "ann", "", None)}))
    await store.run(lambda repository: repository.clear({ANN: (at(2), "ann", "")}))
    await store.run(lambda repository: repository.add_log([logged(2, blocked=True), logged(1, blocked=False)]))
    await store.run(lambda repository: repository.add_log([logged(2, blocked=False)]))  # it is there already
    last = await store.run(lambda repository: repository.last_logged([ANN, BOB]))
    assert last == {ANN: LastLogEntry(True, "dead_address", at(1), "m2")}


async def test_erase_removes_all_of_an_address(store: Store) -> None:
    await store.run(lambda repository: repository.lock_or_create({ANN: at(1), BOB: at(1)}))
    await store.run(lambda repository: repository.add_history([entry(1, 1)]))
    await store.run(lambda repository: repository.add_log([logged(1, blocked=True)]))
    await store.run(lambda repository: repository.erase([ANN]))
    assert list(await store.run(lambda repository: repository.get([ANN, BOB]))) == [BOB]
    await store.run(lambda repository: repository.lock_or_create({ANN: None}))
    assert (await store.run(lambda repository: repository.get([ANN])))[ANN].facts == Facts()
    assert await store.run(lambda repository: repository.last_logged([ANN])) == {}


async def test_erased_since_holds_at_the_very_time(store: Store) -> None:
    times = [(*ANN, at(1)), (*ANN, at(2)), (*ANN, at(3)), (*BOB, at(1)), ("other", ANN[1], at(1))]
    assert await store.run(lambda repository: repository.erased_since(times)) == set()
    await store.run(lambda repository: repository.remember_erased({ANN: at(2)}))
    await store.run(lambda repository: repository.remember_erased({ANN: at(1)}))
    assert await store.run(lambda repository: repository.erased_since(times)) == {0, 1}


async def test_a_scheduled_erasure_keeps_its_earliest_due(store: Store) -> None:
    async def schedule(*due: tuple[tuple[str, str], int]) -> datetime:
        erasures = [ScheduledErasure(*key, NOON, "ann", at(minutes)) for key, minutes in due]
        last: datetime = await store.run(lambda repository: repository.schedule_erasures(erasures))
        return last

    assert await schedule((ANN, 10), (BOB, 5)) == at(10)
    assert await schedule((ANN, 20)) == at(10)
    assert await schedule((ANN, 3)) == at(3)
    taken = await store.run(lambda repository: repository.take_due_erasures(at(5), 10))
    assert taken == [ScheduledErasure(*ANN, NOON, "ann", at(3)), ScheduledErasure(*BOB, NOON, "ann", at(5))]
    assert len(await store.run(lambda repository: repository.take_due_erasures(at(5), 1))) == 1
    assert await store.run(lambda repository: repository.unschedule_erasures([ANN, ANN, CID])) == 1
    assert await store.run(lambda repository: repository.take_due_erasures(at(5), 10)) == taken[1:]


async def test_without_settings_the_policy_is_the_default(store: Store) -> None:
    assert await store.run(lambda repository: repository.policies(["acme"])) == {"acme": Policy()}
    assert await store.run(lambda repository: repository.policy("acme")) == Policy()
    assert not (await store.run(lambda repository: repository.storms(["acme"]))).get("acme")


async def test_a_unit_of_work_that_fails_changes_nothing(store: Store) -> None:
    async def fails(work: UnitOfWork) -> None:
        repository = store.open(work)
        await repository.lock_or_create({ANN: at(1)})
        await repository.add_history([entry(1, 1)])
        await repository.remember_erased({BOB: at(1)})
        raise ValueError("as handlers may")

    with pytest.raises(ValueError, match="as handlers may"):
        async with store.uow_factory.begin() as work:
            await fails(work)
    assert await store.run(lambda repository: repository.get([ANN])) == {}
    assert await store.run(lambda repository: repository.erased_since([(*BOB, at(1))])) == set()
    assert store.uow_factory.published == []
