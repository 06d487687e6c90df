"""What follows from an answer: delivered, again later, skipped, or never again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from shared.outbound.answer import Answer

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""Pauses after the first, second, ... attempt: ten attempts over 75.6 hours, as Standard Webhooks has them."""
JITTER = 0.1
"""By which share a pause is longer or shorter, so that not all subscribers of one server come at once."""
LONGEST_WISH = timedelta(days=1)
"""A `Retry-After` beyond this is not obeyed."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it."""


@dataclass(frozen=True, slots=True)
class Again:
    """It is tried again."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Skip:
    """This message is given up, so that it does not hold up those after it."""

    why: str


@dataclass(frozen=True, slots=True)
class Disable:
    """The webhook is disabled."""

    why: str


Decision: TypeAlias = Delivered | Again | Skip | Disable


def decide(attempts: int, answer: Answer, now: datetime, chance: float, *, skipped: bool = False) -> Decision:
    """Say what follows from the answer to the attempt with this number, from 1 on; `chance` is from 0 to 1.

    A receiver that takes neither this message nor the one before, which was `skipped`, takes none.
    """
    if answer.good:
        return Delivered()
    if answer.status == GONE:
        return Disable("the receiver answered 410 Gone")
    if attempts > len(PAUSES):
        last = answer.problem or f"HTTP {answer.status}"
        why = f"{attempts} attempts over three days failed; the last: {last}"
        return Disable(f"two messages in a row: {why}") if skipped else Skip(why)
    pause = PAUSES[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    wish = min(answer.retry_after or timedelta(0), LONGEST_WISH)
    return Again(now + max(pause, wish))
