"""A circuit breaker: stop taking a queue when too many of its events fail.

A bad release must not turn a whole queue into dead letters: what has not been tried stays in the queue.
https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from returpost.contracts import ConsumerPaused, ConsumerResumed

WAITS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds until one event is tried again; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many events of a queue may fail before it is left alone; invalid input does not count."""

    failures: int = 20
    """In `window` seconds."""
    window: float = 60.0
    share: float = 0.05
    """Of the last `events`."""
    events: int = 1_000


@dataclass(frozen=True, slots=True)
class Failure:
    """One event that failed: what an operator looks for first."""

    fingerprint: str
    error: str
    """The type of the exception."""
    event_id: str


class CircuitBreaker:
    """Closed: events are handled. Open: they wait, and one is tried at growing intervals.

    Once one succeeds it is closed on probation: the next failure opens it again, for longer, until as many events as
    `Limits.events` have passed.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.opened_at: float | None = None
        """By `clock`; None while it is closed."""
        self.last: Failure | None = None
        self._clock = clock
        self._times: deque[float] = deque(maxlen=limits.failures)
        self._recent: deque[tuple[int, int]] = deque()
        self._total = self._failed = 0
        self._waits = 0
        self._probation = 0
        self._woken = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether events must wait."""
        return self.opened_at is not None

    def succeeded(self, events: int) -> None:
        """Note events that were handled."""
        self._note(events, 0)
        if self._probation:
            self._probation = max(0, self._probation - events)
            if not self._probation:
                self._waits = 0

    def failed(self, failure: Failure) -> bool:
        """Note an event that failed by itself; returns whether that opened the breaker."""
        self.last = failure
        self._note(0, 1)
        now = self._clock()
        self._times.append(now)
        too_many = len(self._times) == self.limits.failures and now - self._times[0] <= self.limits.window
        too_often = self._total >= self.limits.events and self._failed >= self.limits.share * self._total
        if self.is_open or not (too_many or too_often or self._probation):
            return False
        self.opened_at = now
        return True

    def event_of_opening(self, queue: str) -> ConsumerPaused:
        """Return the event that says why it is open."""
        last = self.last or Failure("", "", "")
        return ConsumerPaused(
            queue=queue, cause="failing", time=datetime.now(UTC), error=last.error, fingerprint=last.fingerprint,
            event=last.event_id,
        )  # fmt: skip

    def event_of_closing(self, queue: str) -> ConsumerResumed:
        """Return the event that says that it is closed again."""
        return ConsumerResumed(queue=queue, cause="failing", time=datetime.now(UTC))

    async def wait(self) -> None:
        """Return when it is time to try one event, or when the breaker was closed by hand or woken."""
        self._woken.clear()
        try:
            async with asyncio.timeout(WAITS[min(self._waits, len(WAITS) - 1)]):
                await self._woken.wait()
        except TimeoutError:
            pass

    def tried(self, *, success: bool) -> None:
        """Note how trying one event went: it closes on probation, or waits for longer."""
        self._waits += 1
        if success:
            self._close(self.limits.events)

    def resume(self) -> None:
        """Close by hand: what happened before counts no longer."""
        self._waits = 0
        self._close(0)
        self._woken.set()

    def wake(self) -> None:
        """End a wait: the service stops."""
        self._woken.set()

    def _close(self, probation: int) -> None:
        self.opened_at = None
        self._probation = probation
        self._times.clear()
        self._recent.clear()
        self._total = self._failed = 0

    def _note(self, succeeded: int, failed: int) -> None:
        self._recent.append((succeeded + failed, failed))
        self._total += succeeded + failed
        self._failed += failed
        while self._recent and self._total - self._recent[0][0] >= self.limits.events:
            events, failures = self._recent.popleft()
            self._total -= events
            self._failed -= failures
