"""What thresholds would have done to past mailings."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from returpost.contracts.enums import BreachLevel
from services.actions.mailings.stop_signals.domain import MINUTE, Breach, Counts, Minutes, Thresholds, breaches, windows
from services.actions.mailings.stop_signals.repository.signals import PastMailing


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would have become of one mailing."""

    mailing: PastMailing
    breaches: list[Breach]
    sent: int
    unsent: int
    """Recipients who were sent to after it would have been paused."""

    @property
    def paused(self) -> bool:
        """Whether it would have been paused."""
        return any(one.level is BreachLevel.PAUSE for one in self.breaches)


def outcomes(past: Iterable[PastMailing], thresholds: Thresholds) -> list[Outcome]:
    """Return what would have become of each mailing."""
    mailings = list(past)
    together: dict[datetime, Counts] = {}
    for mailing in mailings:
        for minute, counts in mailing.minutes.items():
            together[minute] = counts.plus(together.get(minute, Counts()))
    whole = windows(together, thresholds)
    return [_outcome(mailing, thresholds, whole) for mailing in mailings]


def _outcome(mailing: PastMailing, thresholds: Thresholds, together: Minutes) -> Outcome:
    found = breaches(mailing.minutes, thresholds, together=together)
    stop = min((one.time for one in found if one.level is BreachLevel.PAUSE), default=None)
    sent = sum(counts.sent for counts in mailing.minutes.values())
    unsent = sum(
        counts.sent for minute, counts in mailing.minutes.items() if stop is not None and minute + MINUTE > stop
    )
    return Outcome(mailing, found, sent, unsent)
