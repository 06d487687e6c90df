"""A realistic mailing, made up: pure functions of a `Mailing`, whose seed alone decides all that happens.

What becomes of a recipient follows from the seed and its number, which is part of its address; so the simulated sender
needs no memory to answer a retry command, and what is expected of the services can be counted without running them.
"""

import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import TypeVar

from deploy.demo.replies import HARD, RECEIVERS, SOFT, Receiver, Reply
from returpost.contracts import DeliveryResult, RetryRequested, ids
from returpost.contracts.cloudevents import Event, encode, event
from returpost.contracts.enums import Reason, Result, VerdictType
from returpost.errors import InvalidSettings

MESSAGE_EVENTS = 50
"""Events a message, as a sender under load hands them in."""
DISORDER_WINDOW = 2_000
"""Results among which the order is lost."""
SOURCE = "/simulation"
SENDING_TIME = timedelta(milliseconds=1)
OPENED_AFTER = timedelta(seconds=20)
COMPLAINED_AFTER = timedelta(seconds=40)

_FIRST_NAMES = ("anne", "bjorn", "eva", "fredrik", "ida", "jan", "kari", "lars", "marit", "nils", "ola", "silje")
_LAST_NAMES = ("berg", "dahl", "eide", "hansen", "haugen", "johansen", "larsen", "lie", "moen", "nilsen", "solberg")
_NUMBER = re.compile(r"\.(\d+)@")

JUNK = (
    b"",
    b"{",
    b"\x00\xff\xfe not text",
    b'"a text"',
    b"<xml>no</xml>",
    b'{"specversion":"1.0","id":"1","source":"/x","type":"returpost.delivery.result.v1","tenant":"x"}',
    b'{"specversion":"1.0","id":"1","source":"/x","type":"com.example.other.v9","tenant":"x","data":{}}',
    b'[{"specversion":"1.0"},',
)
"""Messages that are no delivery results: each is one dead letter, however often it comes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the recipients; the rest is delivered at once. Complaints and opens are shares of the delivered."""

    hard: float = 0.04
    soft: float = 0.05
    complained: float = 0.005
    opened: float = 0.25
    heals_at: tuple[float, ...] = (0.5, 0.25, 0.1)
    """Shares of the soft bounces that are delivered at the second attempt, the third and so on; the rest never."""

    def __post_init__(self) -> None:
        shares = (self.hard, self.soft, self.complained, self.opened, *self.heals_at)
        if min(shares) < 0 or max(self.hard + self.soft, self.complained, self.opened, sum(self.heals_at)) > 1 + 1e-9:
            raise InvalidSettings("mix: shares lie between 0 and 1, and so do hard + soft")


@dataclass(frozen=True, slots=True)
class Mailing:
    """What to simulate."""

    recipients: int
    seed: int = 1
    tenant: str = "demo"
    mailing: str = "simulated"
    sender: str = "default"
    start: datetime = datetime(2026, 1, 1, 9, tzinfo=UTC)
    mix: Mix = field(default_factory=Mix)
    receivers: Sequence[Receiver] = RECEIVERS
    duplicates: float = 0.01
    """Share of the results that are handed in twice."""
    disorder: bool = True
    junk: float = 0.0
    """Junk messages, as a share of the messages."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient and what becomes of it."""

    number: int
    address: str
    receiver: Receiver
    reply: Reply | None
    """None: delivered at once."""
    heals_at: int | None
    """Attempt at which a soft bounce is delivered; none: never."""
    complained: bool
    opened: bool


@dataclass(frozen=True, slots=True)
class Expected:
    """What a system that judges and retries as it should makes of a mailing."""

    results: int
    """Distinct delivery results, answers to retry commands included."""
    verdicts: Counter[tuple[VerdictType, Reason]]
    recovered: int
    exhausted: int
    complained: int
    dead: int
    """Recipients that failed for good with a reason that says that the address is dead."""
    opened: int
    statuses: Counter[str]
    """Recipients by the status that they end with."""

    @property
    def soft(self) -> int:
        """Recipients that bounced softly."""
        return self.recovered + self.exhausted

    @property
    def blocked(self) -> int:
        """Addresses that are blocked, each having had at most one bounce."""
        return self.dead + self.complained


DEAD_REASONS = frozenset(
    {Reason.USER_UNKNOWN, Reason.BAD_ADDRESS, Reason.DOMAIN_UNKNOWN, Reason.NOT_ACCEPTING, Reason.MOVED}
)
"""Reasons that block at once (the block policy's default)."""


def past_start(now: datetime, recipients: int) -> datetime:
    """Return when to begin so that all has happened by now: ingest refuses what lies in the future."""
    return now.replace(microsecond=0) - 2 * COMPLAINED_AFTER - recipients * SENDING_TIME


def recipient(mailing: Mailing, number: int) -> Recipient:
    """Return the recipient of that number, counted from 0."""
    dice = random.Random(f"{mailing.seed}/{number}")  # noqa: S311 - a simulation
    receiver = _choose(dice, mailing.receivers)
    address = f"{dice.choice(_FIRST_NAMES)}.{dice.choice(_LAST_NAMES)}.{number:06d}@{receiver.domain}"
    fate, mix = dice.random(), mailing.mix
    if fate < mix.hard:
        return Recipient(number, address, receiver, _choose(dice, HARD), None, False, False)
    if fate < mix.hard + mix.soft:
        reply, patience = _choose(dice, SOFT), dice.random()
        attempt = bisect(list(accumulate(mix.heals_at)), patience) + 2
        heals_at = attempt if attempt < len(mix.heals_at) + 2 else None
        return Recipient(number, address, receiver, reply, heals_at, False, False)
    return Recipient(number, address, receiver, None, None, dice.random() < mix.complained, dice.random() < mix.opened)


def recipients(mailing: Mailing) -> Iterator[Recipient]:
    """Yield all recipients."""
    return (recipient(mailing, number) for number in range(mailing.recipients))


def results(mailing: Mailing) -> Iterator[Event[DeliveryResult]]:
    """Yield the results of the first sending, in the order in which they happen; every event once."""
    for one in recipients(mailing):
        sent = mailing.start + one.number * SENDING_TIME
        yield _attempt(mailing, one, 1, sent)
        if one.opened:
            yield _result(mailing, one, Result.OPENED, sent + OPENED_AFTER)
        if one.complained:
            yield _result(mailing, one, Result.COMPLAINED, sent + COMPLAINED_AFTER)


def simulate(mailing: Mailing) -> Iterator[bytes]:
    """Yield the messages of the first sending, with repeats, disorder and junk. The same mailing, the same bytes."""
    dice = random.Random(f"{mailing.seed}/messages")  # noqa: S311 - a simulation
    for group in _groups(_disordered(_repeated(results(mailing), mailing.duplicates, dice), mailing.disorder, dice)):
        if dice.random() < mailing.junk:
            yield dice.choice(JUNK)
        yield encode(group)[0]


def dead_or_complained(mailing: Mailing) -> set[str]:
    """Return the addresses that should be blocked, each having had at most one bounce."""
    return {
        one.address
        for one in recipients(mailing)
        if one.complained or (one.reply is not None and one.reply.reason in DEAD_REASONS)
    }


def answer(mailing: Mailing, command: RetryRequested, now: datetime) -> Event[DeliveryResult]:
    """Return what comes of sending once more, as the command asks. Raises `InvalidSettings` for a stranger."""
    found = _NUMBER.search(command.address)
    if found is None or int(found[1]) >= mailing.recipients:
        raise InvalidSettings(f"{command.mailing}: the command is for a recipient that this mailing does not have")
    return _attempt(mailing, recipient(mailing, int(found[1])), command.attempt, now)


def expected(mailing: Mailing, retries: int) -> Expected:
    """Count what should come out when every soft bounce is retried up to `retries` times."""
    verdicts: Counter[tuple[VerdictType, Reason]] = Counter()
    counts: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for one in recipients(mailing):
        counts["complained"] += one.complained
        counts["opened"] += one.opened
        counts["results"] += 1 + one.complained + one.opened
        if one.reply is None:
            statuses["complained" if one.complained else "opened" if one.opened else "delivered"] += 1
            continue
        heals = one.heals_at is not None and one.heals_at <= retries + 1
        soft = one.reply.type is VerdictType.SOFT
        bounces = 1 if not soft else one.heals_at - 1 if heals and one.heals_at else retries + 1
        verdicts[one.reply.type, one.reply.reason] += bounces
        counts["results"] += bounces - 1 + heals
        statuses["delivered" if heals else "hard_bounced"] += 1
        counts["recovered"] += heals
        counts["exhausted"] += soft and not heals
        counts["dead"] += one.reply.reason in DEAD_REASONS
    return Expected(
        counts["results"],
        verdicts,
        counts["recovered"],
        counts["exhausted"],
        counts["complained"],
        counts["dead"],
        counts["opened"],
        statuses,
    )


def _attempt(mailing: Mailing, one: Recipient, attempt: int, time: datetime) -> Event[DeliveryResult]:
    if one.reply is None or (one.heals_at is not None and attempt >= one.heals_at):
        return _result(mailing, one, Result.DELIVERED, time, attempt=attempt)
    return _result(mailing, one, Result.BOUNCED, time, attempt=attempt, reply=one.reply)


def _result(
    mailing: Mailing, one: Recipient, result: Result, time: datetime, *, attempt: int = 1, reply: Reply | None = None
) -> Event[DeliveryResult]:
    data = DeliveryResult(
        mailing=mailing.mailing,
        address=one.address,
        result=result,
        time=time,
        sender=mailing.sender,
        attempt=attempt,
        reply_code=reply.code if reply else None,
        status=reply.status if reply else None,
        diagnostic=_text(reply, one, attempt) if reply else "",
        remote_mta=one.receiver.host,
    )
    id_ = ids.of_content(mailing.tenant, mailing.mailing, mailing.seed, one.number, result, attempt)
    return event(data, id=id_, source=SOURCE, tenant=mailing.tenant, subject=mailing.mailing).model_copy(
        update={"time": time}
    )


def _text(reply: Reply, one: Recipient, attempt: int) -> str:
    local, _, domain = one.address.partition("@")
    place = f"192.0.2.{one.number % 250 + 1}"
    return reply.text.format(
        address=one.address,
        local=local,
        domain=domain,
        ip=place,
        id=f"{one.number:08x}{attempt:02x}si{one.number % 997}",
    )


def _choose(dice: random.Random, choices: Sequence[T]) -> T:
    shares = [choice.share for choice in choices]  # type: ignore[attr-defined]
    return dice.choices(choices, shares)[0]


def _repeated(events: Iterator[T], share: float, dice: random.Random) -> Iterator[T]:
    for one in events:
        yield one
        if dice.random() < share:
            yield one


def _disordered(events: Iterator[T], disorder: bool, dice: random.Random) -> Iterator[T]:
    """Mix up neighbours, holding no more than a window of them."""
    if not disorder:
        yield from events
        return
    window: list[T] = []
    for one in events:
        window.append(one)
        if len(window) == DISORDER_WINDOW:
            place = dice.randrange(DISORDER_WINDOW)
            window[place], window[-1] = window[-1], window[place]
            yield window.pop()
    dice.shuffle(window)
    yield from window


def _groups(events: Iterator[T]) -> Iterator[list[T]]:
    group: list[T] = []
    for one in events:
        group.append(one)
        if len(group) == MESSAGE_EVENTS:
            yield group
            group = []
    if group:
        yield group
