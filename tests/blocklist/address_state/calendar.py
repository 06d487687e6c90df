"""A second oracle, for what depends on time: it lives through the days one by one, as somebody with a notebook would.

A day has a hundred ticks. Each fact is at a tick; every tick the notebook is brought up to date.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from returpost.contracts import BlockClear, BlockSet, BounceClassified, DeliveryRecorded, Verdict, ids
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.enums import BlockCause, Fault, Reason, Result, VerdictType
from services.blocklist.address_state.domain import Bounce, Facts
from services.blocklist.tenant_settings.domain import Counting, Policy

START = datetime(2026, 3, 1, tzinfo=UTC)
TICKS = 4
"""Ticks a day: few, so that facts meet."""


@dataclass(frozen=True)
class Happening:
    """One thing that happened to the address."""

    what: str
    tick: int
    mailing: str
    stream: str | None = None


WHATS = ("dead", "full", "full", "full", "spam", "complaint", "delivered", "manual", "clear")


def at(tick: int) -> datetime:
    return START + timedelta(days=1) * tick / TICKS


def happenings(days: int = 12) -> st.SearchStrategy[list[Happening]]:
    one = st.builds(
        Happening,
        st.sampled_from(WHATS),
        st.integers(0, days * TICKS),
        st.integers(0, 9).map("m{}".format),
        st.sampled_from([None, "marketing", "service"]),
    )
    return st.lists(one, max_size=25)


SPARED = (BlockCause.COMPLAINT, BlockCause.RETURN_COUNT, BlockCause.DEAD_ADDRESS, BlockCause.MANUAL)


def policies() -> st.SearchStrategy[Policy]:
    return st.builds(
        Policy,
        accepted_bounces=st.integers(0, 4),
        counting=st.sampled_from(Counting),
        decay_days=st.sampled_from([None, 1, 3, 7]),
        expiry_days=st.sampled_from([(), (1,), (3,), (1, 2, 4)]),
        once_a_day=st.booleans(),
        streams=st.sampled_from([{}, {"service": {SPARED[0]}}, {"service": set(SPARED)}, {"service": set(SPARED[1:])}]),
    )


_REASONS = {"dead": Reason.USER_UNKNOWN, "full": Reason.MAILBOX_FULL, "spam": Reason.SPAM_CONTENT}


def facts_of(seen: Iterable[Happening]) -> Facts:
    """Return the facts as the service keeps them."""
    seen = list(seen)

    def latest(what: str) -> datetime:
        return max((at(h.tick) for h in seen if h.what == what), default=datetime.min.replace(tzinfo=UTC))

    bounces = [
        Bounce(h.mailing, _REASONS.get(h.what, Reason.COMPLAINT), at(h.tick), h.what in ("dead", "full"), h.stream)
        for h in seen
        if h.what in (*_REASONS, "complaint")
    ]
    return Facts(bounces, latest("delivered"), latest("clear"), latest("manual"))


@dataclass
class Notebook:
    """What one cause has come to so far."""

    until: int = -1
    """Tick at which its block ends."""
    blocks: int = 0

    def ground(self, tick: int, policy: Policy) -> None:
        """A bounce that gives cause: it begins a block, unless one holds."""
        if tick >= self.until:
            days = policy.expiry_days[min(self.blocks, len(policy.expiry_days) - 1)] if policy.expiry_days else 10**6
            self.blocks += 1
            self.until = tick + days * TICKS


def expected(seen: Iterable[Happening], policy: Policy, now: int) -> tuple[int, str | None, list[str]]:
    """Return return count, cause and spared streams at a tick."""
    seen = list(seen)
    cleared = max((h.tick for h in seen if h.what == "clear"), default=-1)
    valid = [h for h in seen if h.tick > cleared]
    last_delivery = max((h.tick for h in seen if h.what == "delivered"), default=-1)
    since = last_delivery if policy.counting is Counting.CONSECUTIVE else -1
    count, causes = _lived_through(valid, since, policy, now)
    exempt_streams = []
    for stream, exempt in policy.streams.items():
        _, own = _lived_through([h for h in valid if h.stream == stream and h.what != "manual"], since, policy, now)
        if not (causes - set(exempt)) | (own & set(exempt)):
            exempt_streams.append(stream)
    order = ("dead_address", "complaint", "manual", "return_count")
    cause = next((c for c in order if c in causes), None)
    return count, cause, exempt_streams if cause else []


def _lived_through(valid: list[Happening], since: int, policy: Policy, now: int) -> tuple[int, set[str]]:
    counted: dict[str, Happening] = {}
    for h in valid:
        if h.what in _REASONS and h.tick > since:
            known = counted.get(h.mailing)
            if known is None or (h.tick, _REASONS[h.what]) > (known.tick, _REASONS[known.what]):
                counted[h.mailing] = h
    ticks = sorted(h.tick for h in counted.values())
    if policy.once_a_day:
        ticks = sorted({tick // TICKS: tick for tick in reversed(ticks)}.values())
    decay = (policy.decay_days or 10**6) * TICKS
    dead, full = Notebook(), Notebook()
    fallen = False
    for tick in range(max([now, *(h.tick for h in valid)]) + 1):
        for h in valid:
            if h.tick == tick and h.what == "dead":
                dead.ground(tick, policy)
        young = [t for t in ticks if t <= tick < t + decay]
        if fallen := len(young) <= policy.accepted_bounces:
            full.until = min(full.until, tick)
        elif tick in ticks:
            full.ground(tick, policy)
    causes = {h.what for h in valid if h.what in ("complaint", "manual")}
    if dead.until > now:
        causes.add("dead_address")
    if full.until > now and not fallen:
        causes.add("return_count")
    return len([t for t in ticks if now < t + decay]), causes


_VERDICTS = {
    "dead": (Reason.USER_UNKNOWN, Fault.RECIPIENT, True),
    "full": (Reason.MAILBOX_FULL, Fault.RECIPIENT, False),
    "spam": (Reason.SPAM_CONTENT, Fault.SENDER, False),
}


def message(given: Happening, tenant: str, address: str) -> Event[Any]:
    """Return the event or command that says it."""
    where: dict[str, Any] = {"mailing": given.mailing, "address": address, "time": at(given.tick), "sender": "default"}
    data: Any
    if given.what in _VERDICTS:
        reason, fault, dead = _VERDICTS[given.what]
        verdict = Verdict(
            type=VerdictType.HARD, reason=reason, fault=fault, confidence=0.9, dead_address=dead, rule="test.rule"
        )
        data = BounceClassified(**where, verdict=verdict, attempt=0, stream=given.stream)
    elif given.what in ("delivered", "complaint"):
        result = Result.DELIVERED if given.what == "delivered" else Result.COMPLAINED
        data = DeliveryRecorded(**where, result=result, stream=given.stream)
    else:
        kind = BlockSet if given.what == "manual" else BlockClear
        data = kind(addresses=[address], time=at(given.tick), by="ann")
    return event(data, id=ids.of_content(tenant, address, repr(given)), source="/test", tenant=tenant)
