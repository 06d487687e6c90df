"""When messages go out: quiet hours, digests, after a failure, and no faster than people can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

MINUTE: Final = timedelta(minutes=1)
DAY_AND_CHANGE: Final = 25 * 60 + 1
"""Minutes of the longest local day, on which the clock is set back."""
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 7_200, 21_600))
"""Pauses after the first, second, ... attempt: eight attempts over 8.7 hours. Who has not been reached by then reads
the list."""
JITTER: Final = 0.1
"""By which share a pause is longer or shorter."""
LONGEST_WISH: Final = timedelta(hours=6)
"""A `Retry-After` beyond this is not obeyed."""
BURST: Final = 5
"""Messages of a channel within `BURST_TIME`; what comes in above goes out together."""
BURST_TIME: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Quiet hours, by a clock on the wall: from `start` on and before `end`, over midnight when that is earlier."""

    start: time
    end: time

    def holds(self, local: datetime) -> bool:
        """Tell whether a local time is within them."""
        now = local.time()
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end


def quiet_until(now: datetime, zone: str, quiet: Quiet | None) -> datetime:
    """Return the first whole minute that is not quiet, or now when it is not quiet now.

    Minute by minute: clocks that are set forward or back in between need no rule of their own.
    """
    place = ZoneInfo(zone)
    if quiet is None or not quiet.holds(now.astimezone(place)):
        return now
    at = now.replace(second=0, microsecond=0)
    for _ in range(DAY_AND_CHANGE):
        at += MINUTE
        if not quiet.holds(at.astimezone(place)):
            return at
    return now


def digest_at(now: datetime, zone: str, every: timedelta | None, daily: time) -> datetime:
    """Return when a digest goes out next: at the full hour, or at a time of the day; now where there is none."""
    if every is None:
        return now
    if every <= timedelta(hours=1):
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    place = ZoneInfo(zone)
    at = now.replace(second=0, microsecond=0)
    before = at.astimezone(place)
    for _ in range(DAY_AND_CHANGE):
        at += MINUTE
        local = at.astimezone(place)
        if not local.fold and _passes(before, local, daily):  # an hour that comes twice has one digest
            return at
        before = local
    return at


def due_at(now: datetime, zone: str, every: timedelta | None, daily: time, quiet: Quiet | None) -> datetime:
    """Return when something goes out: with the next digest, and not in quiet hours."""
    return quiet_until(digest_at(now, zone, every, daily), zone, quiet)


def next_message(formed: Sequence[datetime], now: datetime) -> datetime:
    """Return when the next message of a channel may go out, after those that were formed at these times."""
    recent = sorted(formed)[-BURST:]
    return now if len(recent) < BURST else max(now, recent[0] + BURST_TIME)


def pause_after(attempts: int, wish: timedelta | None, chance: float) -> timedelta | None:
    """Return how long after the attempt with this number, from 1 on, comes the next; nothing: it is given up.

    `wish` is what the receiver asks for, `chance` is from 0 to 1.
    """
    if attempts > len(PAUSES):
        return None
    pause = PAUSES[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    return max(pause, min(wish or timedelta(0), LONGEST_WISH))


def _passes(before: datetime, after: datetime, daily: time) -> bool:
    """Tell whether the clock on the wall has come to a time between two minutes; it may have jumped over it."""
    first, last = before.time(), after.time()
    if after.date() != before.date():
        return daily > first or daily <= last
    return first < daily <= last
