"""The fold from facts to standing, against its words and against the oracle."""

from collections.abc import Sequence

import pytest
from hypothesis import given, strategies as st

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.domain import NEVER, AddressState, Block, Bounce, Facts, Unsubscribe, evaluate
from services.blocklist.address_state.handlers.results import SAID, _bounce, _counts, _said
from services.blocklist.tenant_settings.domain import DEFAULT_EFFECTS, Effect, Policy
from tests.blocklist.address_state.model import Input, expected, inputs, message, moment


def full(mailing: int, minute: int) -> Bounce:
    return Bounce(f"m{mailing}", Reason.MAILBOX_FULL, moment(minute), may_block=True)


def dead(minute: int, mailing: str = "m0") -> Bounce:
    return Bounce(mailing, Reason.USER_UNKNOWN, moment(minute), may_block=True)


NOW = moment(1_000)
SIX = [full(n, n) for n in range(6)]
COMPLAINT = Bounce("m1", Reason.COMPLAINT, moment(3))


@pytest.mark.parametrize(
    ("facts", "count", "cause", "since"),
    [
        (Facts(), 0, None, None),
        (Facts(SIX[:5]), 5, None, None),
        (Facts(SIX), 6, "return_count", 5),
        (Facts([*SIX, full(7, 9)]), 7, "return_count", 5),
        (Facts([full(0, n) for n in range(6)]), 1, None, None),
        (Facts(SIX, delivered=moment(0)), 5, None, None),
        (Facts(SIX, delivered=moment(5)), 0, None, None),
        (Facts(SIX, cleared=moment(2)), 3, None, None),
        (Facts([dead(1)]), 1, "dead_address", 1),
        (Facts([dead(4), dead(2)]), 1, "dead_address", 2),
        (Facts([dead(1)], delivered=moment(2)), 0, "dead_address", 1),
        (Facts([dead(1)], cleared=moment(1)), 0, None, None),
        (Facts([dead(2)], cleared=moment(1)), 1, "dead_address", 2),
        (Facts([Bounce("m", Reason.USER_UNKNOWN, moment(1))]), 1, None, None),
        (Facts([COMPLAINT], delivered=moment(9)), 0, "complaint", 3),
        (Facts([COMPLAINT], cleared=moment(3)), 0, None, None),
        (Facts(manual=moment(4), delivered=moment(9)), 0, "manual", 4),
        (Facts(manual=moment(4), cleared=moment(4)), 0, None, None),
        (Facts([*SIX, COMPLAINT], manual=moment(1)), 6, "complaint", 3),
        (Facts([*SIX, COMPLAINT, dead(9)], manual=moment(1)), 6, "dead_address", 9),
        (Facts([Bounce(f"m{n}", Reason.SUPPRESSED, moment(n)) for n in range(9)]), 0, None, None),
    ],
)
def test_standing(facts: Facts, count: int, cause: str | None, since: int | None) -> None:
    standing = evaluate(facts, Policy(), NOW)
    assert standing.return_count == count
    assert (standing.block and standing.block.cause) == cause
    assert (standing.block and standing.block.since) == (None if since is None else moment(since))


def test_the_bounce_that_exceeds_is_told() -> None:
    assert evaluate(Facts(SIX), Policy(2), NOW) == AddressState(
        6, Block(BlockCause.RETURN_COUNT, moment(2), Reason.MAILBOX_FULL, "m2")
    )


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        (
            {Reason.MAILBOX_FULL: Effect.BLOCK},
            AddressState(1, Block(BlockCause.DEAD_ADDRESS, moment(1), Reason.MAILBOX_FULL, "m1")),
        ),
        ({Reason.MAILBOX_FULL: Effect.IGNORE}, AddressState(0)),
        ({Reason.MAILBOX_FULL: Effect.COUNT}, AddressState(1)),
    ],
)
def test_the_tenant_chooses(effects: dict[Reason, Effect], expected: AddressState) -> None:
    assert evaluate(Facts([full(1, 1)]), Policy(5, {**DEFAULT_EFFECTS, **effects}), NOW) == expected


def test_ignored_complaints_block_nothing() -> None:
    policy = Policy(0, {**DEFAULT_EFFECTS, Reason.COMPLAINT: Effect.IGNORE})
    assert evaluate(Facts([COMPLAINT]), policy, NOW) == AddressState()


def facts_of(seen: Sequence[Input]) -> Facts:
    def last(what: str) -> object:
        return max((moment(i.minute) for i in seen if i.what == what), default=NEVER)

    bounces = []
    for one in seen:
        said = message(one, "acme")
        if one.what == "complaint":
            line = _said(said, ("acme", "x"), SAID[said.data.result])
        elif hasattr(said.data, "verdict") and _counts(said.data):
            line = _bounce(said)
        else:
            continue
        bounces.append(Bounce(line.mailing, line.reason, line.time, line.may_block))
    subscribed = last("subscribed")
    return Facts(
        bounces,
        last("delivered"),  # type: ignore[arg-type]
        last("clear"),  # type: ignore[arg-type]
        last("manual"),  # type: ignore[arg-type]
        former=last("left"),  # type: ignore[arg-type]
        former_lifted=last("back"),  # type: ignore[arg-type]
        unsubscribes=[Unsubscribe(moment(i.minute), None, i.mailing) for i in seen if i.what == "unsubscribed"],
        subscriptions={None: subscribed} if subscribed != NEVER else {},  # type: ignore[dict-item]
    )


@given(st.lists(inputs(addresses=1), max_size=40), st.integers(0, 6), st.randoms())
def test_the_oracle_agrees_in_any_order(seen: list[Input], accepted: int, random: object) -> None:
    standing = evaluate(facts_of(seen), Policy(accepted), NOW)
    assert (standing.return_count, standing.block and standing.block.cause) == expected(seen, accepted)
    shuffled = [*seen, *seen[:10]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert evaluate(facts_of(shuffled), Policy(accepted), NOW) == standing
