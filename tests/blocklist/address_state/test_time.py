"""What time does to a standing: decay, expiry, one count a day, spared streams; against the notebook, and by laws."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.domain import Bounce, Facts, evaluate
from services.blocklist.tenant_settings.domain import GROWING, Counting, Policy
from tests.blocklist.address_state.calendar import TICKS, Happening, at, expected, facts_of, happenings, policies

LAST = 12 * TICKS
TICK = timedelta(days=1) / TICKS
later = st.integers(LAST, LAST + 20 * TICKS)


@settings(max_examples=400, deadline=None)
@given(happenings(), policies(), later, st.randoms(use_true_random=False))
def test_standing_is_what_the_notebook_says(
    seen: list[Happening], policy: Policy, now: int, chance: random.Random
) -> None:
    standing = evaluate(facts_of(seen), policy, at(now))
    block = standing.block
    wanted = (standing.return_count, block and block.cause, list(block.exempt_streams) if block else [])
    assert wanted == expected(seen, policy, now)
    shuffled = seen + chance.sample(seen, len(seen) // 2)
    chance.shuffle(shuffled)
    assert evaluate(facts_of(shuffled), policy, at(now)) == standing


@settings(max_examples=200, deadline=None)
@given(happenings(), policies(), later)
def test_nothing_changes_before_the_review_and_time_only_frees(seen: list[Happening], policy: Policy, now: int) -> None:
    facts = facts_of(seen)
    before = evaluate(facts, policy, at(now))
    for tick in range(now, now + 16 * TICKS):
        standing = evaluate(facts, policy, at(tick))
        if before.changes_at is None or at(tick) < before.changes_at:
            assert standing == before
        assert standing.return_count <= before.return_count
        assert before.block or not standing.block
        if standing.block and standing.block.until:
            assert at(tick) < standing.block.until
        before = standing


@settings(max_examples=200, deadline=None)
@given(happenings(), policies(), later)
def test_a_spared_stream_is_never_worse_off_and_a_clear_frees_all(
    seen: list[Happening], policy: Policy, now: int
) -> None:
    standing = evaluate(facts_of(seen), policy, at(now))
    plain = evaluate(facts_of(seen), replace(policy, streams={}), at(now))
    assert replace(plain, changes_at=None) == replace(
        standing, changes_at=None, block=standing.block and replace(standing.block, exempt_streams=())
    )
    cleared = [*seen, Happening("clear", LAST + 1, "")]
    assert evaluate(facts_of(cleared), policy, at(now)).block is None


def full(day: float) -> Bounce:
    return Bounce(f"m{day}", Reason.MAILBOX_FULL, at(0) + timedelta(days=day), may_block=True)


def dead(day: float, stream: str | None = None) -> Bounce:
    return Bounce(f"m{day}", Reason.USER_UNKNOWN, at(0) + timedelta(days=day), may_block=True, stream=stream)


def day(standing_until: object) -> float | None:
    return None if standing_until is None else (standing_until - at(0)) / timedelta(days=1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("days", "now", "since", "until"),
    [
        ([0], 0.5, 0, 1),
        ([0], 1, None, None),
        ([0, 0.5], 1, None, None),
        ([0, 1], 1, 1, 3),
        ([0, 1, 5], 5, 5, 9),
        ([0, 1, 5, 9], 9, 9, 16),
        ([0, 1, 5, 9, 30], 31, 30, 44),
        ([0, 1, 5, 9, 30, 50], 51, 50, 64),
    ],
)
def test_blocks_grow(days: list[float], now: float, since: float | None, until: float | None) -> None:
    policy = Policy(expiry_days=GROWING)
    block = evaluate(Facts([dead(d) for d in days]), policy, at(0) + timedelta(days=now)).block
    assert (block and day(block.since), block and day(block.until)) == (since, until)


def test_old_bounces_no_longer_count_and_the_block_ends_with_them() -> None:
    policy = Policy(2, decay_days=10)
    facts = Facts([full(d) for d in (0, 4, 8, 9)])
    standing = evaluate(facts, policy, at(0) + timedelta(days=9))
    assert (standing.return_count, standing.block and day(standing.block.until)) == (4, 14)
    assert day(standing.changes_at) == 10
    standing = evaluate(facts, policy, at(0) + timedelta(days=14))
    assert (standing.return_count, standing.block) == (2, None)


def test_all_bounces_count_where_deliveries_do_not_reset() -> None:
    facts = Facts([full(d) for d in (1, 2, 3)], delivered=at(0) + timedelta(days=2.5))
    now = at(0) + timedelta(days=9)
    assert evaluate(facts, Policy(2), now).return_count == 1
    standing = evaluate(facts, Policy(2, counting=Counting.ALL), now)
    assert (standing.return_count, standing.block and standing.block.cause) == (3, "return_count")


def test_an_address_counts_once_a_day() -> None:
    facts = Facts([full(d) for d in (1.0, 1.25, 1.75, 2.0)])
    assert evaluate(facts, Policy(once_a_day=True), at(0) + timedelta(days=3)).return_count == 2


def test_a_complaint_about_marketing_leaves_service_mail_alone() -> None:
    policy = Policy(streams={"service": frozenset({BlockCause.COMPLAINT})})
    now = at(0) + timedelta(days=9)
    complaint = Bounce("m1", Reason.COMPLAINT, at(4), stream="marketing")
    blocked = evaluate(Facts([complaint]), policy, now).block
    assert blocked is not None
    assert blocked.exempt_streams == ("service",)
    for more in (Bounce("m2", Reason.COMPLAINT, at(5), stream="service"), dead(2)):
        block = evaluate(Facts([complaint, more]), policy, now).block
        assert block is not None
        assert block.exempt_streams == ()
