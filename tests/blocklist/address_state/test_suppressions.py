"""Unsubscribes and former employees: what holds follows from what was said, and no bounce-flag touches it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import (
    BlockClear,
    DeliveryRecorded,
    SubscriptionConfirmed,
    SuppressionLift,
    SuppressionSet,
    ids,
)
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BlockCause, Reason, Result
from services.blocklist.address_state.domain import NEVER, AddressState, Bounce, Facts, Unsubscribe, evaluate
from services.blocklist.address_state.log_undo import undo_last
from services.blocklist.address_state.records import Trigger
from services.blocklist.tenant_settings.domain import Policy
from tests.blocklist.address_state.model import moment
from tests.blocklist.handler_harness import HANDLERS
from tests.blocklist.in_memory import Database, InMemoryUnitOfWorkFactory

NOW = moment(10_000)
STREAMS = (None, "news", "offers", "service")


@dataclass(frozen=True)
class Said:
    """One unsubscribe or subscription."""

    subscribes: bool
    stream: str | None
    minute: int


said = st.builds(Said, st.booleans(), st.sampled_from(STREAMS), st.integers(0, 12))


def facts_of(seen: Sequence[Said]) -> Facts:
    subscriptions: dict[str | None, int] = {}
    for one in seen:
        if one.subscribes:
            subscriptions[one.stream] = max(subscriptions.get(one.stream, 0), one.minute)
    return Facts(
        unsubscribes=[Unsubscribe(moment(one.minute), one.stream, "m1") for one in seen if not one.subscribes],
        subscriptions={stream: moment(minute) for stream, minute in subscriptions.items()},
    )


def skips(state: AddressState, stream: str | None) -> bool:
    """Say what a check that names this stream, or none, would."""
    block = state.block
    if block is None or stream is None:
        return block is not None
    return stream in block.streams if block.streams else stream not in block.exempt_streams


def naive(seen: Sequence[Said], stream: str | None) -> bool:
    """Go through what was said in the order of time: the last word on a stream, or on everything, holds."""
    holds = False
    for one in sorted(seen, key=lambda each: (each.minute, not each.subscribes)):
        if one.stream in (None, stream):
            holds = not one.subscribes
    return holds


@given(st.lists(said, max_size=12), st.randoms(use_true_random=False))
def test_the_last_word_on_a_stream_holds_in_any_order_and_number(seen: list[Said], chance: object) -> None:
    state = evaluate(facts_of(seen), Policy(), NOW)
    for stream in STREAMS[1:]:
        assert skips(state, stream) == naive(seen, stream)
    anything = any(naive(seen, stream) for stream in (None, "a-stream-that-nobody-named", *STREAMS[1:]))
    assert skips(state, None) == anything
    again = [*seen, *seen[:5]]
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert evaluate(facts_of(again), Policy(), NOW) == state


@given(st.lists(said, max_size=8), st.sampled_from(("news", "service")))
def test_a_stream_that_is_exempt_obeys_its_own_unsubscribes_alone(seen: list[Said], stream: str) -> None:
    policy = Policy(streams={stream: frozenset({BlockCause.UNSUBSCRIBED})})
    own = [one for one in seen if one.subscribes or one.stream == stream]
    assert skips(evaluate(facts_of(seen), policy, NOW), stream) == skips(evaluate(facts_of(own), policy, NOW), stream)


@given(st.lists(said, max_size=8), st.booleans())
def test_no_clear_and_no_delivery_changes_what_persons_said(seen: list[Said], left: bool) -> None:
    facts = replace(facts_of(seen), former=moment(3) if left else NEVER)
    later = replace(facts, cleared=NOW, delivered=NOW)
    assert evaluate(later, Policy(), NOW) == evaluate(facts, Policy(), NOW)


def test_every_cause_that_holds_is_told() -> None:
    facts = Facts(
        [Bounce("m1", Reason.USER_UNKNOWN, moment(1), True), Bounce("m2", Reason.COMPLAINT, moment(2))],
        manual=moment(4),
        former=moment(3),
        unsubscribes=[Unsubscribe(moment(5), "news", "m3")],
    )
    block = evaluate(facts, Policy(), NOW).block
    assert block is not None
    assert block.causes == ["dead_address", "complaint", "manual", "unsubscribed", "former_employee"]
    after = evaluate(replace(facts, cleared=moment(9)), Policy(), NOW).block
    assert after is not None
    assert (after.causes, after.streams) == (["former_employee", "unsubscribed"], ())


def message(data: object, n: int = 0) -> Event[Any]:
    return event(data, id=ids.of_content("test", repr(data), n), source="/test", tenant="acme")


@pytest.mark.anyio
async def test_a_repeated_unsubscribe_that_is_older_than_a_subscription_changes_nothing() -> None:
    database = Database()
    factory = InMemoryUnitOfWorkFactory(database)

    async def handle(*events: Event[Any]) -> None:
        async with factory.begin() as work:
            await HANDLERS[type(events[0].data)](events, work, open_repository=factory.open)

    def block() -> object:
        return database.addresses["acme", "ann@example.com"].state.block

    def unsubscribed(minute: int) -> Event[Any]:
        data = DeliveryRecorded(
            mailing="m1", address="ann@example.com", result=Result.UNSUBSCRIBED, time=moment(minute), sender="s"
        )
        return event(data, id=ids.of_content("one"), source="/test", tenant="acme")

    await handle(unsubscribed(1))
    assert block() is not None
    await handle(message(BlockClear(addresses=["ann@example.com"], time=moment(2), by="ann")))
    assert block() is not None
    await handle(message(SubscriptionConfirmed(address="ann@example.com", time=moment(5))))
    assert block() is None
    await handle(unsubscribed(9))  # the same event again, by a clock that went on
    assert block() is None


@pytest.mark.anyio
@pytest.mark.parametrize("cause", [BlockCause.UNSUBSCRIBED, BlockCause.FORMER_EMPLOYEE])
async def test_lifting_a_suppression_and_undoing_it_free_the_address(cause: BlockCause) -> None:
    database = Database()
    factory = InMemoryUnitOfWorkFactory(database)
    values = {"addresses": ["ann@example.com"], "cause": cause, "by": "ann"}

    async def handle(data: object) -> None:
        async with factory.begin() as work:
            await HANDLERS[type(data)]([message(data)], work, open_repository=factory.open)

    async def undo(minute: int) -> None:
        async with factory.begin() as work:
            trigger = Trigger(f"undo {minute}", moment(minute), "ann")
            await undo_last(work, [("acme", "ann@example.com")], trigger, moment(minute), factory.open)

    def causes() -> list[BlockCause]:
        state = database.addresses["acme", "ann@example.com"].state
        return state.block.causes if state.block else []

    await handle(SuppressionSet(**values, time=moment(1)))
    assert causes() == [cause]
    await handle(SuppressionLift(**values, time=moment(2), note="asked for it"))
    assert causes() == []
    await handle(SuppressionSet(**values, time=moment(3), note="again"))
    assert causes() == [cause]
    await undo(4)
    assert causes() == []
