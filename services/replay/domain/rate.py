"""How fast a replay goes: a few first, then slowly more, up to a rate."""

from dataclasses import dataclass

SLOW_START = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
"""Dead letters a second, each for a second, while none comes back; then as fast as is allowed."""
MAX_PART = 500
"""Dead letters a transaction."""
MAX_PENDING = 5_000
"""Dead letters of a job without an outcome: it waits for them, so that a stop comes in time."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    sent: int
    pending: int
    stage: int
    """Seconds of slow start behind it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What to send now, and when to look again."""

    count: int
    seconds: float
    """From the start of this part to the next."""
    stage: int


def next_part(progress: Progress, *, canary: int, slow_start: bool, rate: int) -> Pace:
    """Return how many to send now. `rate` is dead letters a second, 0 for no limit; the canary must all be processed
    before the rest begins."""
    if progress.sent < canary:
        return _limited(min(canary - progress.sent, MAX_PART), rate, progress.stage)
    if canary and progress.sent == canary and progress.pending:
        return Pace(0, 0.2, progress.stage)
    if progress.pending >= MAX_PENDING:
        return Pace(0, 0.1, progress.stage)
    if slow_start and progress.stage < len(SLOW_START):
        step = SLOW_START[progress.stage]
        if not rate or step < rate:
            return Pace(min(step, MAX_PART), min(1.0, MAX_PART / step), progress.stage + 1)
    return _limited(MAX_PART, rate, progress.stage)


def _limited(count: int, rate: int, stage: int) -> Pace:
    if not rate:
        return Pace(count, 0.0, stage)
    count = min(count, rate)
    return Pace(count, count / rate, stage)
