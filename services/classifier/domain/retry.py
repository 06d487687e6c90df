"""When a soft bounce is retried, and when its attempts are exhausted: the same in whatever order bounces arrive."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The schedule: the time from the nth soft bounce to the next attempt."""

    delays: tuple[timedelta, ...]
    by_reason: Mapping[str, tuple[timedelta, ...]]
    jitter: float
    domain_limit: int = 0
    """Retry commands a minute for one receiving domain; 0: no limit."""

    def delays_for(self, reason: str) -> tuple[timedelta, ...]:
        """Return the schedule of a reason."""
        return self.by_reason.get(reason, self.delays)


@dataclass(frozen=True, slots=True)
class Retry:
    """Retry when `due`; `attempt` is the number of the delivery attempt, the first sending being 1."""

    attempt: int
    due: datetime


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The attempts are used up: the bounce is registered as hard, at the time of the last one."""

    time: datetime


Decision = Retry | Exhausted


def decide(recipient: bytes, reason: str, times: Sequence[datetime], policy: RetryPolicy) -> Decision:
    """Decide for a recipient that bounced softly at these distinct times, in ascending order.

    A bounce that is reported twice has the same time and counts once: attempts are counted here, not by the sender.
    """
    delays = policy.delays_for(reason)
    if len(times) > len(delays):
        return Exhausted(times[-1])
    return Retry(len(times) + 1, times[-1] + _spread(delays[len(times) - 1], recipient, len(times), policy.jitter))


class DueState(StrEnum):
    """What becomes of a retry that is due; besides these, the outcome that is known."""

    REQUESTED = "requested"
    PAUSED = "paused"
    """Its mailing is paused: it waits until that is resumed."""
    DROPPED = "dropped"
    ERASED = "erased"


def state_when_due(outcome: str | None, erased: bool, skipped: bool, *, paused: bool = False) -> str:
    """Return the state of a retry that is due; `skipped`: blocked, or too old for its outcome to be known."""
    if erased:
        return DueState.ERASED
    if outcome is not None:
        return outcome
    if skipped:
        return DueState.DROPPED
    return DueState.PAUSED if paused else DueState.REQUESTED


def recipient_key(tenant: str, mailing: str, address: str) -> bytes:
    """Return the key of one recipient of one mailing: half the bytes of a SHA-256 (16)."""
    return hashlib.sha256(f"{tenant}\x1f{mailing}\x1f{address}".encode()).digest()[:16]


def _spread(delay: timedelta, recipient: bytes, n: int, jitter: float) -> timedelta:
    """Lengthen or shorten the delay by up to `jitter` of it, always alike for the same recipient and attempt."""
    digest = hashlib.sha256(recipient + bytes([n & 0xFF])).digest()
    unit = int.from_bytes(digest[:4], "big") / 0xFFFFFFFF
    return delay * (1 + jitter * (2 * unit - 1))
