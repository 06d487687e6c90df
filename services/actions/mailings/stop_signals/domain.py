"""When a mailing is breached: too many of its recipients bounced, complained, or were refused for the sender's fault.

Pure functions of counts by minute, which themselves are counted from recipients, each once. So neither the order in
which results arrive nor repeats make a difference: a breach is at a minute of the mailing's own time, by what happened
up to then. What has come in later moves the counts, as if it had been there at the time.

What counts for hard bounces says something of the list of addresses: they are dead, disabled or refused by their hosts,
hard at once. What was retried in vain and a full mailbox may pass; Amazon SES leaves them out, too. What came back in a
storm of a receiving domain tells of the domain. Faults of the sender count apart, storm or not: to stop is what helps.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from returpost.contracts.enums import DEAD_REASONS, SENDER_REASONS, BreachKind, BreachLevel, BreachScope, Reason

MINUTE = timedelta(minutes=1)
CLOCK_TOLERANCE = timedelta(minutes=15)
"""How far the clock of a sender may be ahead."""
HARD_REASONS = DEAD_REASONS | {Reason.ACCOUNT_DISABLED, Reason.RECIPIENT_REFUSED}
"""Those of hard bounces that count."""
FAULT_REASONS = SENDER_REASONS
"""Those of the sender's faults, hard or soft."""


class Counts(NamedTuple):
    """Recipients of a mailing, each once a column."""

    sent: int = 0
    returned: int = 0
    """For good or for now."""
    hard_bounces: int = 0
    complaints: int = 0
    sender_faults: int = 0

    def plus(self, other: "Counts", sign: int = 1) -> "Counts":
        """Return the sum, or the difference."""
        return Counts(*(mine + sign * its for mine, its in zip(self, other, strict=True)))

    def share(self, kind: BreachKind) -> tuple[int, int]:
        """Return how many out of how many; a complaint is by somebody whom it has reached."""
        if kind is BreachKind.COMPLAINTS:
            return self.complaints, self.sent - self.returned
        return (self.hard_bounces if kind is BreachKind.HARD_BOUNCES else self.sender_faults), self.sent


Minutes = Mapping[datetime, Counts]
"""What happened in each minute, by its beginning."""


@dataclass(frozen=True, slots=True)
class Levels:
    """From which shares on a mailing is breached; none: never."""

    warning: float | None
    pause: float | None

    def of(self, level: BreachLevel) -> float | None:
        """Return the share of a level."""
        return self.warning if level is BreachLevel.WARNING else self.pause


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What a tenant accepts.

    Amazon SES reviews an account from 5% of hard bounces and pauses it from 10%; from 0.1% of complaints and from 0.5%
    (https://docs.aws.amazon.com/ses/latest/dg/faqs-enforcement.html). Gmail wants complaints below 0.1% and never at
    0.3% (https://support.google.com/a/answer/81126), Yahoo below 0.3% (https://senders.yahooinc.com/best-practices/).
    Nobody publishes a number for the sender's faults: these are ours.
    """

    hard_bounces: Levels = Levels(0.05, 0.10)
    complaints: Levels = Levels(0.001, 0.003)
    sender_faults: Levels = Levels(0.10, 0.25)
    least_results: int = 1_000
    """Recipients sent to, out of fewer of which nothing follows: one complaint of 300 is 0.3% already. A mailing with
    fewer is judged with all mailings of the tenant: its own share and theirs must be too large."""
    window: timedelta = timedelta(hours=72)
    """What happened longer ago does not count; and what began longer ago stops nothing any more."""

    def of(self, kind: BreachKind) -> Levels:
        """Return the levels of a kind."""
        match kind:
            case BreachKind.HARD_BOUNCES:
                return self.hard_bounces
            case BreachKind.COMPLAINTS:
                return self.complaints
            case BreachKind.SENDER_FAULTS:
                return self.sender_faults


DEFAULT = Thresholds()
Signal = tuple[BreachKind, BreachLevel]


@dataclass(frozen=True, slots=True)
class Breach:
    """A share that was too large at the end of a minute, for the first time."""

    kind: BreachKind
    level: BreachLevel
    time: datetime
    count: int
    of_results: int
    threshold: float
    scope: BreachScope = BreachScope.MAILING

    @property
    def signal(self) -> Signal:
        """Return what is said once a mailing."""
        return self.kind, self.level


def breaches(
    minutes: Minutes, thresholds: Thresholds, until: datetime | None = None, together: Minutes | None = None
) -> list[Breach]:
    """Return the first breach of each kind and level, by time; of minutes that have ended by `until` alone.

    A minute that goes on is not looked at: half of it may have bounces whose sendings are in the other half. `together`
    are the `windows` of all mailings of the tenant, this one among them; none: small mailings are not judged.
    """
    found: dict[Signal, Breach] = {}
    for time, counts in _running(minutes, thresholds.window):
        if until is not None and time > until:
            break
        alone = counts.sent >= thresholds.least_results
        judged = counts if alone or together is None else together.get(time, counts)
        if judged.sent < thresholds.least_results:
            continue
        scope = BreachScope.MAILING if alone else BreachScope.TENANT
        for signal, threshold in _crossed(counts, thresholds):
            if signal not in found and _over(judged, signal[0], threshold):
                found[signal] = Breach(*signal, time, *judged.share(signal[0]), threshold, scope)
    return list(found.values())


def windows(minutes: Minutes, thresholds: Thresholds) -> Minutes:
    """Return the counts of each window by the minute that ends it."""
    return dict(_running(minutes, thresholds.window))


def needs_others(minutes: Minutes, thresholds: Thresholds) -> bool:
    """Tell whether the counts of the other mailings may make a difference: some share is too large of too few."""
    return any(
        counts.sent < thresholds.least_results and any(_crossed(counts, thresholds))
        for _, counts in _running(minutes, thresholds.window)
    )


def latest(minutes: Minutes, thresholds: Thresholds) -> Counts:
    """Return the counts of the last window in which anything happened."""
    counts = Counts()
    for _, counts in _running(minutes, thresholds.window):  # noqa: B007
        pass
    return counts


def unsettled(minutes: Iterable[datetime], until: datetime, now: datetime) -> bool:
    """Tell whether some minute has not ended by `until`, and will soon: of a clock far ahead nothing is waited for."""
    return any(until < minute + MINUTE and minute <= now + CLOCK_TOLERANCE for minute in minutes)


def to_signal(found: Iterable[Breach], known: Iterable[Signal], thresholds: Thresholds, now: datetime) -> list[Breach]:
    """Return the breaches to speak of: each once, and none of a mailing that is long over, as of an old archive."""
    said = set(known)
    return [one for one in found if one.signal not in said and one.time > now - thresholds.window]


def _crossed(counts: Counts, thresholds: Thresholds) -> Iterator[tuple[Signal, float]]:
    """Yield what is over its threshold, with the threshold."""
    for kind in BreachKind:
        for level in BreachLevel:
            threshold = thresholds.of(kind).of(level)
            if threshold is not None and _over(counts, kind, threshold):
                yield (kind, level), threshold


def _over(counts: Counts, kind: BreachKind, threshold: float) -> bool:
    count, of = counts.share(kind)
    return of > 0 and count / of >= threshold


def _running(minutes: Minutes, window: timedelta) -> Iterator[tuple[datetime, Counts]]:
    """Yield the end of each minute with the counts of the window that ends then."""
    inside = deque[tuple[datetime, Counts]]()
    total = Counts()
    for minute in sorted(minutes):
        inside.append((minute, minutes[minute]))
        total = total.plus(minutes[minute])
        while inside[0][0] <= minute - window:
            total = total.plus(inside.popleft()[1], -1)
        yield minute + MINUTE, total
