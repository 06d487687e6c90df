"""When a queue is left alone, and when it is taken again."""

import pytest
from hypothesis import given, strategies as st

from shared.messaging.control.circuit_breaker import CircuitBreaker, Failure, Limits

FAILURE = Failure("f" * 16, "ZeroDivisionError", "e-1")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def made(**limits: float) -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    return CircuitBreaker(Limits(**limits), clock), clock  # type: ignore[arg-type]


def fail(breaker: CircuitBreaker, times: int) -> list[bool]:
    return [breaker.failed(FAILURE) for _ in range(times)]


def test_twenty_failures_in_a_minute_open_it() -> None:
    breaker, clock = made()
    opened = []
    for _ in range(20):
        opened += fail(breaker, 1)
        clock.now += 3.0
    assert opened == [False] * 19 + [True]
    assert breaker.is_open
    assert breaker.last == FAILURE


def test_failures_that_are_far_apart_do_not() -> None:
    breaker, clock = made()
    for _ in range(200):
        breaker.succeeded(100)
        assert not breaker.failed(FAILURE)
        clock.now += 3.2
    assert not breaker.is_open


@pytest.mark.parametrize(("every", "opens"), [(50, False), (21, False), (19, True)])
def test_one_in_twenty_of_the_last_thousand_opens_it_however_slow(every: int, opens: bool) -> None:
    breaker, clock = made()
    for _ in range(3_000 // every):
        breaker.succeeded(every - 1)
        breaker.failed(FAILURE)
        clock.now += 600.0
    assert breaker.is_open is opens


def test_what_succeeds_on_a_trial_is_on_probation_until_a_thousand_have_passed() -> None:
    breaker, _ = made()
    fail(breaker, 20)
    breaker.tried(success=False)
    assert breaker.is_open
    breaker.tried(success=True)
    assert not breaker.is_open
    breaker.succeeded(999)
    assert fail(breaker, 1) == [True]
    breaker.tried(success=True)
    breaker.succeeded(1_000)
    assert fail(breaker, 1) == [False]


def test_closed_by_hand_it_begins_anew() -> None:
    breaker, _ = made()
    fail(breaker, 20)
    breaker.resume()
    assert not breaker.is_open
    assert fail(breaker, 19) == [False] * 19


@given(st.lists(st.one_of(st.integers(1, 3_000), st.just(0)), max_size=200))
def test_it_counts_no_more_than_the_last_events(outcomes: list[int]) -> None:
    breaker, _ = made(failures=10**6)
    for events in outcomes:
        if events:
            breaker.succeeded(events)
        else:
            breaker.failed(FAILURE)
    assert 0 <= breaker._failed <= breaker._total
    assert breaker._total - (breaker._recent[0][0] if breaker._recent else 0) < 1_000
