"""The pace of what can wait: it goes by the time that is left over."""

import time

import pytest

from services.ingest import pace
from services.ingest.pace import LONGEST, SHORTEST, Pace

pytestmark = pytest.mark.anyio


async def test_a_loop_with_time_to_spare_makes_the_pauses_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LATE", 60.0)  # the machine of the tests may be busy with something else
    one = Pace()
    one.pause = SHORTEST * 8
    for _ in range(3):
        await one.step()
    assert one.pause == SHORTEST


async def test_a_busy_process_makes_them_long_up_to_a_bound() -> None:
    one = Pace()
    one.pause = SHORTEST
    while one.pause < LONGEST:
        before, end = one.pause, time.process_time() + one.pause * 4
        while time.process_time() < end:
            pass
        await one.step()
        assert one.pause == min(LONGEST, before * 2)
