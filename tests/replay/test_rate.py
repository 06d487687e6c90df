"""How fast a replay goes."""

import pytest
from hypothesis import given, strategies as st

from services.replay.domain.rate import MAX_PART, MAX_PENDING, SLOW_START, Pace, Progress, next_part


@pytest.mark.parametrize(
    ("progress", "how", "expected"),
    [
        (Progress(0, 0, 0), {"canary": 3, "slow_start": True, "rate": 0}, Pace(3, 0.0, 0)),
        (Progress(2, 2, 0), {"canary": 3, "slow_start": True, "rate": 0}, Pace(1, 0.0, 0)),
        (Progress(3, 1, 0), {"canary": 3, "slow_start": True, "rate": 0}, Pace(0, 0.2, 0)),
        (Progress(3, 0, 0), {"canary": 3, "slow_start": True, "rate": 0}, Pace(1, 1.0, 1)),
        (Progress(4, 0, 1), {"canary": 3, "slow_start": True, "rate": 0}, Pace(2, 1.0, 2)),
        (Progress(4, 9, 1), {"canary": 3, "slow_start": True, "rate": 2}, Pace(2, 1.0, 1)),
        (Progress(9, 0, len(SLOW_START)), {"canary": 3, "slow_start": True, "rate": 0}, Pace(MAX_PART, 0.0, 12)),
        (Progress(0, 0, 0), {"canary": 0, "slow_start": False, "rate": 0}, Pace(MAX_PART, 0.0, 0)),
        (Progress(0, 0, 0), {"canary": 0, "slow_start": False, "rate": 7}, Pace(7, 1.0, 0)),
        (Progress(9_000, MAX_PENDING, 0), {"canary": 0, "slow_start": False, "rate": 0}, Pace(0, 0.1, 0)),
    ],
)
def test_next_part(progress: Progress, how: dict[str, int], expected: Pace) -> None:
    assert next_part(progress, **how) == expected  # type: ignore[arg-type]


@given(
    st.integers(0, 50),
    st.booleans(),
    st.integers(0, 3_000),
    st.integers(0, 10_000),
    st.integers(0, 12_000),
    st.integers(0, 20),
)
def test_never_faster_than_asked_and_never_idle_for_long(
    canary: int, slow_start: bool, rate: int, sent: int, pending: int, stage: int
) -> None:
    pace = next_part(Progress(sent, pending, stage), canary=canary, slow_start=slow_start, rate=rate)
    assert 0 <= pace.count <= MAX_PART
    assert 0 <= pace.seconds <= 1.0
    assert pace.count or pace.seconds, "a loop that does nothing must wait"
    if rate and pace.count:
        assert pace.count <= rate * pace.seconds + 1e-6
    if sent < canary:
        assert sent + pace.count <= canary
