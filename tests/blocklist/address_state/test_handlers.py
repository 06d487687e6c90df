"""The handlers of address states, without any server: the same laws as over the real database, and one case each."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from returpost.contracts import (
    AddressBlocked,
    AddressCorrect,
    AddressCorrected,
    AddressErase,
    AddressErased,
    AddressUnblocked,
    BlockApplied,
    BlockClear,
    BlockCleared,
    BlockSet,
    BlockUndo,
    BounceClassified,
    Correction,
    DeliveryRecorded,
    SubscriptionConfirmed,
    SuppressionLift,
    SuppressionSet,
    ids,
)
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import StormKind, UnblockCause
from services.blocklist.address_state.expiry import expire_due
from services.blocklist.address_state.handlers.command_undo import handle_undo
from services.blocklist.address_state.handlers.commands import handle_block_clear, handle_block_set
from services.blocklist.address_state.handlers.corrections import handle_corrections
from services.blocklist.address_state.handlers.erasures import handle_erase
from services.blocklist.address_state.handlers.results import handle_results, handle_verdicts
from services.blocklist.address_state.handlers.suppressions import (
    handle_subscriptions,
    handle_suppression_lift,
    handle_suppression_set,
)
from services.blocklist.address_state.log_undo import undo_last
from services.blocklist.address_state.records import Trigger
from services.blocklist.address_state.scheduled_erasures import erase_due, schedule
from services.blocklist.storms.domain import Storm, Suspect
from services.blocklist.tenant_settings.domain import Policy
from tests.blocklist.address_state.model import START, Input, address, inputs, message, moment
from tests.blocklist.address_state.test_laws import check
from tests.blocklist.handler_harness import batches
from tests.blocklist.in_memory import Database, InMemoryUnitOfWorkFactory

pytestmark = pytest.mark.anyio

ANN = ("acme", address(1).lower())


class Blocklist:
    """The handlers over a database in memory."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.now = moment(1_000)
        self.database = Database(policies={"acme": policy or Policy()})
        self.units = InMemoryUnitOfWorkFactory(self.database)
        self.refused: list[str] = []
        on_time: dict[str, Any] = {"clock": self.clock, "open_repository": self.units.open}
        tolerant = on_time | {"tolerance": timedelta(minutes=5)}
        self._handlers: dict[type, Any] = {
            DeliveryRecorded: partial(handle_results, **on_time),
            BounceClassified: partial(handle_verdicts, **on_time),
            BlockSet: partial(handle_block_set, **tolerant),
            BlockClear: partial(handle_block_clear, **tolerant),
            SuppressionSet: partial(handle_suppression_set, **tolerant),
            SuppressionLift: partial(handle_suppression_lift, **tolerant),
            SubscriptionConfirmed: partial(handle_subscriptions, **tolerant),
            BlockUndo: partial(handle_undo, **on_time),
            AddressCorrect: partial(handle_corrections, **on_time),
            AddressErase: partial(handle_erase, **on_time),
        }

    def clock(self) -> datetime:
        return self.now

    async def handle(self, *events: Event[Any], size: int = 100) -> list[Any]:
        """Handle events in batches; return the data of what was published."""
        before = len(self.units.published)
        for batch in batches(events, size):
            async with self.units.begin() as work:
                await self._handlers[type(batch[0].data)](batch, work)
            self.refused += [error for _, error in work.refused]
        return [one.data for one in self.units.published[before:]]

    async def happen(self, *whats: str, minute: int = 0) -> list[Any]:
        """Have this happen to the first address, each a minute after the other."""
        seen = [Input(what, 1, minute + n, f"m{minute + n}") for n, what in enumerate(whats)]
        return await self.handle(*(message(one, "acme") for one in seen), size=1)

    def states(self) -> dict[str, tuple[int, str | None]]:
        """Return return count and cause of every address."""
        return {
            key[1]: (one.state.return_count, one.state.block.cause.value if one.state.block else None)
            for key, one in self.database.addresses.items()
        }


def command(data: Any) -> Event[Any]:
    return event(data, id=ids.of_content(repr(data)), source="/test", tenant="acme")


@settings(max_examples=150, deadline=None)
@given(st.lists(inputs(), max_size=40), st.integers(1, 20), st.randoms(use_true_random=False))
def test_handlers_give_one_state_for_a_set_of_events(seen: list[Input], size: int, chance: random.Random) -> None:
    async def play(played: Sequence[Input], size: int) -> None:
        blocklist = Blocklist()
        await blocklist.handle(*(message(one, "acme") for one in played), size=size)
        newest = {one.id: one for one in blocklist.units.published}
        check(seen, blocklist.states(), list(newest.values()))

    asyncio.run(play(seen, size))
    again = [*seen, *chance.sample(seen, len(seen) // 2)]
    chance.shuffle(again)
    asyncio.run(play(again, chance.randint(1, 20)))


async def test_dead_address_blocks_and_clear_lifts() -> None:
    blocklist = Blocklist()
    (blocked,) = await blocklist.happen("dead")
    assert isinstance(blocked, AddressBlocked)
    assert (blocked.address, blocked.cause, blocked.mailing) == (ANN[1], "dead_address", "m0")
    unblocked, cleared = await blocklist.happen("clear", minute=5)
    assert isinstance(unblocked, AddressUnblocked)
    assert isinstance(cleared, BlockCleared)
    assert (unblocked.cause, unblocked.version > blocked.version) == (UnblockCause.CLEARED, True)


@pytest.mark.parametrize(("dead_confidence", "cause"), [(0.9, "dead_address"), (0.91, None), (0.0, "dead_address")])
async def test_dead_address_blocks_from_the_set_confidence_on(dead_confidence: float, cause: str | None) -> None:
    blocklist = Blocklist(Policy(dead_confidence=dead_confidence))
    await blocklist.happen("dead")
    assert blocklist.states() == {ANN[1]: (1, cause)}


async def test_below_the_confidence_a_dead_address_counts() -> None:
    blocklist = Blocklist(Policy(accepted_bounces=2, dead_confidence=1.0))
    assert await blocklist.happen("dead", "dead") == []
    (blocked,) = await blocklist.happen("dead", minute=5)
    assert (blocked.cause, blocked.return_count) == ("return_count", 3)


async def test_a_delivery_of_an_unknown_address_forgives_the_older_bounces_that_come_after_it() -> None:
    blocklist = Blocklist(Policy(accepted_bounces=1))
    await blocklist.happen("delivered", minute=10)
    assert await blocklist.happen("full", "full", "full", minute=1) == []
    assert blocklist.states() == {ANN[1]: (0, None)}
    assert await blocklist.happen("full", minute=11) == []
    (blocked,) = await blocklist.happen("full", minute=12)
    assert (blocked.cause, blocked.return_count) == ("return_count", 2)


async def test_command_from_the_future_is_refused() -> None:
    blocklist = Blocklist()
    data = BlockSet(addresses=[address(1)], time=blocklist.now + timedelta(minutes=6), by="ann")
    assert await blocklist.handle(command(data)) == []
    assert blocklist.states() == {}
    assert [error.partition(":")[0] for error in blocklist.refused] == ["data.time"]


async def test_undo_of_a_command_reports_that_it_was_applied() -> None:
    blocklist = Blocklist()
    await blocklist.happen("dead")
    clear = BlockClear(addresses=[address(1)], time=moment(5), by="ann", operation="op-1")
    await blocklist.handle(command(clear))
    undo = BlockUndo(addresses=[address(1)], of=moment(5), time=moment(6), by="ann", operation="op-1")
    blocked, applied = await blocklist.handle(command(undo))
    assert isinstance(blocked, AddressBlocked)
    assert isinstance(applied, BlockApplied)
    assert blocklist.states()[ANN[1]] == (1, "dead_address")


async def test_correction_clears_the_new_address_alone() -> None:
    blocklist = Blocklist()
    await blocklist.happen("dead")
    correction = Correction(old="u2@example.com", new=address(1))
    data = AddressCorrect(corrections=[correction], time=moment(5), by="ann")
    corrected, unblocked = await blocklist.handle(command(data))
    assert isinstance(corrected, AddressCorrected)
    assert isinstance(unblocked, AddressUnblocked)
    same = Correction(old=address(1).upper(), new=address(1))
    (corrected,) = await blocklist.handle(command(AddressCorrect(corrections=[same], time=moment(6), by="ann")))
    assert isinstance(corrected, AddressCorrected)


async def test_erase_forgets_and_what_comes_late_stays_forgotten() -> None:
    blocklist = Blocklist()
    await blocklist.happen("dead")
    unblocked, erased = await blocklist.handle(command(AddressErase(addresses=[address(1)], time=moment(5), by="ann")))
    assert unblocked.cause is UnblockCause.ERASED
    assert isinstance(erased, AddressErased)
    assert await blocklist.happen("dead", "complaint", minute=4) == []
    assert blocklist.states() == {}
    (blocked,) = await blocklist.happen("dead", minute=6)
    assert isinstance(blocked, AddressBlocked)


async def test_scheduled_erasure_is_done_when_it_is_due() -> None:
    blocklist = Blocklist()
    await blocklist.happen("dead")
    async with blocklist.units.begin() as work:
        due = await schedule(blocklist.units.open(work), [ANN], "ann", 2, blocklist.now)
    erase = partial(erase_due, blocklist.units, 10, blocklist.clock, remember=True)
    assert not await erase(open_repository=blocklist.units.open)
    blocklist.now = due
    assert await erase(open_repository=blocklist.units.open)
    assert (blocklist.states(), blocklist.database.scheduled) == ({}, {})


async def test_block_that_has_ended_expires() -> None:
    blocklist = Blocklist()
    data = BlockSet(addresses=[address(1)], time=moment(1), by="ann", until=moment(2_000))
    await blocklist.handle(command(data))
    expire = partial(expire_due, blocklist.units, 10, open_repository=blocklist.units.open)
    assert not await expire(now=moment(1_999))
    assert await expire(now=moment(2_000))
    assert blocklist.units.published[-1].data.cause is UnblockCause.EXPIRED
    assert not await expire(now=moment(2_000))


async def test_undo_last_lifts_what_bounces_made() -> None:
    blocklist = Blocklist()
    await blocklist.happen("dead")
    trigger = Trigger("undo-1", blocklist.now, "ann")
    async with blocklist.units.begin() as work:
        keys = [ANN, ("acme", "nobody@example.com")]
        done = await undo_last(work, keys, trigger, blocklist.now, open_repository=blocklist.units.open)
    assert done == {"lift": 1, "nothing": 1}
    assert blocklist.units.published[-1].data.cause is UnblockCause.UNDONE


async def test_bounces_of_a_storm_do_not_count() -> None:
    blocklist = Blocklist(Policy(accepted_bounces=0))
    storm = Storm("s", Suspect(StormKind.DOMAIN, "example.com"), START, START)
    blocklist.database.storms["acme"] = [storm]
    assert await blocklist.happen("full", "dead") == []
    assert blocklist.states() == {ANN[1]: (0, None)}
