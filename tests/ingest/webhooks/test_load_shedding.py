"""The pace of what can wait: it goes by the time that is left over."""

import time

import pytest

from services.ingest.webhooks.load_shedding import BUSY, LATE, LONGEST, SHORTEST, Pace, after

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("share", "late", "factor"),
    [(0.0, 0.0, 0.5), (BUSY, LATE, 0.5), (BUSY + 0.01, 0.0, 2), (0.0, LATE + 0.001, 2), (1.0, 1.0, 2)],
)
def test_pauses_are_short_with_time_to_spare_and_long_without(share: float, late: float, factor: float) -> None:
    assert after(0.01, share, late) == 0.01 * factor


@pytest.mark.parametrize(("share", "bound"), [(0.0, SHORTEST), (1.0, LONGEST)])
def test_they_have_bounds(share: float, bound: float) -> None:
    pause = 0.01
    for _ in range(20):
        pause = after(pause, share, 0.0)
    assert pause == bound


async def test_a_step_pauses_and_goes_by_what_it_saw() -> None:
    one = Pace()
    one.pause, began = 0.05, time.monotonic()
    await one.step()
    assert time.monotonic() - began >= 0.05
    assert one.pause in (0.025, 0.1)
