"""The retry schedule: laws that hold for any bounces in any order."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from services.classifier.domain.retry import Exhausted, Retry, RetryPolicy, decide, recipient_key
from services.classifier.settings import Settings

START = datetime(2026, 1, 2, tzinfo=UTC)
DELAYS = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=8), timedelta(hours=24))
POLICY = RetryPolicy(DELAYS, {"greylisted": (timedelta(minutes=1),)}, jitter=0.1)
RECIPIENT = bytes.fromhex("018f0000000070008000000000000001")


@pytest.mark.parametrize(("bounces", "delay"), list(enumerate(DELAYS, start=1)))
def test_each_soft_bounce_has_its_delay(bounces: int, delay: timedelta) -> None:
    times = [START + timedelta(days=n) for n in range(bounces)]
    decision = decide(RECIPIENT, "mailbox_full", times, POLICY)
    assert isinstance(decision, Retry)
    assert decision.attempt == bounces + 1
    assert 0.9 * delay <= decision.due - times[-1] <= 1.1 * delay


def test_after_the_last_attempt_it_is_enough() -> None:
    times = [START + timedelta(days=n) for n in range(6)]
    assert decide(RECIPIENT, "mailbox_full", times, POLICY) == Exhausted(times[-1])


def test_a_reason_may_have_its_own_schedule() -> None:
    assert isinstance(decide(RECIPIENT, "greylisted", [START], POLICY), Retry)
    assert isinstance(decide(RECIPIENT, "greylisted", [START, START + timedelta(hours=1)], POLICY), Exhausted)


def test_no_delays_means_no_retries() -> None:
    assert decide(RECIPIENT, "expired", [START], RetryPolicy((), {}, 0.0)) == Exhausted(START)


@given(st.integers(1, 5), st.binary(min_size=16, max_size=16))
def test_the_same_bounces_decide_alike(bounces: int, recipient: bytes) -> None:
    times = [START + timedelta(days=n) for n in range(bounces)]
    assert decide(recipient, "expired", times, POLICY) == decide(recipient, "expired", list(times), POLICY)


def test_jitter_spreads_recipients() -> None:
    dues = [decide(uuid4().bytes, "expired", [START], POLICY) for _ in range(200)]
    moments = {decision.due for decision in dues if isinstance(decision, Retry)}
    assert len(moments) > 190
    assert max(moments) - min(moments) > timedelta(seconds=40)


def test_recipients_have_distinct_keys() -> None:
    keys = {recipient_key(t, m, a) for t in ("a", "ab") for m in ("b", "c") for a in ("b@example.com", "c@example.com")}
    assert len(keys) == 8


def test_delays_are_read_from_text() -> None:
    settings = Settings.model_validate({"retry_delays": "5m, 30m,2h", "retry_delays_by_reason": {"expired": "1d"}})
    assert settings.retry_delays == DELAYS[:3]
    assert settings.retry_delays_by_reason == {"expired": (timedelta(days=1),)}
    with pytest.raises(ValidationError, match="is not a duration"):
        Settings.model_validate({"retry_delays": "5m,soon"})
