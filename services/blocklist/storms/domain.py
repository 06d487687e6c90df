"""Storms: when one fault of the sender, one receiving domain or one sending host suddenly makes most bounces of a
tenant, the bounces tell of it and not of the addresses.

Pure functions of counts. A suspect dominates a window of time when it made enough bounces, and at least its share of
all; a domain or a host, moreover, when most of what was sent to it or by it came back. It does so suddenly when the
odds that a bounce is its are several times what they usually are: a large provider always has most bounces. What other
storms make is left out, so that a large one does not hide a small one.
"""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from returpost.contracts.enums import SENDER_REASONS, Reason, StormKind
from services.blocklist.address_state.domain import FOREVER, Bounce, Facts

K = TypeVar("K")

SENDER_SIDE = SENDER_REASONS | {Reason.RATE_LIMITED}


class StormState(StrEnum):
    """What is done with the bounces of a storm."""

    HELD = "held"
    """They do not count from when it was noticed."""
    LIFTED = "lifted"
    """They do not count from its begin: what they blocked before it was noticed is free."""
    COUNTED = "counted"
    """They count: it was none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a suspect dominates."""

    bounces: int = 50
    share: float = 0.5
    """Of the tenant's bounces in the window."""
    failing: float = 0.5
    """Of what was sent to the domain or by the host in the window."""
    odds: float = 3.0
    """How many times the usual odds."""
    window: timedelta = timedelta(minutes=15)
    quiet: timedelta = timedelta(minutes=30)
    """It is over when it has not dominated for so long."""


@dataclass(frozen=True, slots=True, order=True)
class Suspect:
    """What may be to blame."""

    kind: StormKind
    value: str


@dataclass(slots=True)
class Window:
    """What came back and what arrived in some span of time, of one tenant."""

    bounces: int = 0
    by: dict[tuple[Suspect, ...], int] = field(default_factory=dict)
    """Bounces by all that each may be the fault of."""
    delivered: dict[Suspect, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Storm:
    """One storm of a tenant."""

    id: str
    suspect: Suspect
    begun: datetime
    suspended_from: datetime
    ended: datetime = FOREVER
    state: StormState = StormState.HELD

    def covers(self, bounce: Bounce, domain: str) -> bool:
        """Say whether the bounce does not count because of this storm."""
        if self.state is StormState.COUNTED or bounce.reason is Reason.COMPLAINT:
            return False
        begin = self.begun if self.state is StormState.LIFTED else self.suspended_from
        return begin <= bounce.time < self.ended and self.suspect in suspects_of(bounce.reason, domain, bounce.ip)


@dataclass(frozen=True, slots=True, order=True)
class Dominating:
    """A suspect with its bounces, and how many they are out of."""

    suspect: Suspect
    count: int
    bounces: int


def suspects_of(reason: Reason, domain: str, ip: str | None) -> tuple[Suspect, ...]:
    """Return what a bounce may be the fault of, other than of its address."""
    found = [Suspect(StormKind.DOMAIN, domain)]
    if reason in SENDER_SIDE:
        found.append(Suspect(StormKind.REASON, reason))
    if ip:
        found.append(Suspect(StormKind.IP, ip))
    return tuple(found)


def dominating(window: Window, limits: Limits, ongoing: AbstractSet[Suspect] = frozenset()) -> list[Dominating]:
    """Return what makes most bounces of the window, but for those of the other storms that go on."""
    shares = [*_new(window, ongoing), *(_old(storm, window, ongoing - {storm}) for storm in ongoing)]
    return sorted(share for share in shares if _dominates(share, window, limits))


def _new(window: Window, ongoing: AbstractSet[Suspect]) -> list[Dominating]:
    """Count by suspect what is no storm's already; in one pass, as there may be thousands of suspects."""
    counts: dict[Suspect, int] = {}
    bounces = window.bounces
    for whose, count in window.by.items():
        if ongoing.isdisjoint(whose):
            _add(counts, dict.fromkeys(whose, count))
        else:
            bounces -= count
    return [Dominating(suspect, count, bounces) for suspect, count in counts.items()]


def _old(storm: Suspect, window: Window, others: AbstractSet[Suspect]) -> Dominating:
    """Count what a storm makes now; what is another's, too, is its own as well."""
    count, bounces = 0, window.bounces
    for whose, its in window.by.items():
        if storm in whose:
            count += its
        elif not others.isdisjoint(whose):
            bounces -= its
    return Dominating(storm, count, bounces)


def _dominates(share: Dominating, window: Window, limits: Limits) -> bool:
    if share.count < limits.bounces or share.count < limits.share * share.bounces:
        return False
    if share.suspect.kind is StormKind.REASON:
        return True
    return share.count >= limits.failing * (share.count + window.delivered.get(share.suspect, 0))


def sudden(count: int, bounces: int, usual_count: int, usual_bounces: int, limits: Limits) -> bool:
    """Say whether `count` of `bounces` is far more than `usual_count` of `usual_bounces`; too few are nothing usual."""
    if usual_bounces < limits.bounces:
        return True
    # One is added to each side: never seen and always seen are odds, too.
    odds = (count + 1) / (bounces - count + 1)
    usual = (usual_count + 1) / (usual_bounces - usual_count + 1)
    return odds >= limits.odds * usual


def without(facts: Facts, domain: str, storms: Sequence[Storm]) -> Facts:
    """Return the facts without the bounces that do not count because of a storm."""
    if not storms:
        return facts
    kept = [bounce for bounce in facts.bounces if not any(storm.covers(bounce, domain) for storm in storms)]
    return replace(facts, bounces=kept)


def merged(windows: Sequence[Window]) -> Window:
    """Return one window for several."""
    whole = Window()
    for window in windows:
        whole.bounces += window.bounces
        _add(whole.by, window.by)
        _add(whole.delivered, window.delivered)
    return whole


def _add(sums: dict[K, int], more: Mapping[K, int]) -> None:
    for key, count in more.items():
        sums[key] = sums.get(key, 0) + count
