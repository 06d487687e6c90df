"""How fast to do what can wait, while others wait to be answered: by the time that is left over."""

import asyncio
import time

SHORTEST, LONGEST = 0.002, 0.25
"""Seconds of a pause; a crowd makes what can wait slow, but never stops it."""
BUSY = 0.5
"""Of the time of a processor: a process that uses more has none left over, if those who are answered are not to wait
for each other (bench/webhooks.py)."""
LATE = 0.004
"""Seconds past its end at which a pause tells that other processes had the processor."""


def after(pause: float, share: float, late: float) -> float:
    """Return the pause after this one: `share` of a processor was used since the one before, and it ended so late."""
    return min(LONGEST, pause * 2) if share > BUSY or late > LATE else max(SHORTEST, pause / 2)


class Pace:
    """Pauses that become shorter while there is time left over, and longer while there is none."""

    def __init__(self) -> None:
        self.pause = LONGEST
        self._since, self._used = time.monotonic(), time.process_time()

    async def step(self) -> None:
        """Let the others go first."""
        due = time.monotonic() + self.pause
        await asyncio.sleep(self.pause)
        now, used = time.monotonic(), time.process_time()
        share = (used - self._used) / max(now - self._since, SHORTEST)
        self._since, self._used = now, used
        self.pause = after(self.pause, share, now - due)
