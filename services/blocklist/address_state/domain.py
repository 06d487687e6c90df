"""The state of an address: from all facts that are known of it to its return count and its block.

A pure function of the set of facts and of the time: the order in which facts came in, and how often, changes nothing;
time alone never blocks, it only frees. The rules:

- A fact counts only when it is later than the last clear (`time > cleared`).
- The return count is the number of different mailings with a bounce that is later than the last clear and, where only
  consecutive ones count, than the last delivery, and whose reason has the effect `block` or `count`. At the same time
  as a clear or a delivery is not later. A bounce older than the decay no longer counts; where an address counts once a
  day, the bounces of a day (UTC) are one.
- An address is blocked when, after the last clear, a bounce that may block has a reason with the effect `block`
  (dead address; where the reason says so, from the confidence on that the policy asks for: below it the bounce only
  counts), or a complaint came in (and complaints have the effect `block`), or somebody blocked it by hand; or when the
  return count exceeds the accepted bounces. Deliveries reduce the count, and nothing else.
- Where blocks for bounces expire, the first lasts the first number of days from the bounce that made it, whatever comes
  back meanwhile; the next bounce that would block makes the second one, and so on. Complaints do not expire.
- An unsubscribe, from a stream or from everything, holds until a later subscription to the same or to everything; a
  subscription to a stream frees that stream alone. That somebody has left holds until it is set back. Neither is about
  bounces: no clear, delivery or setting lifts them.
- Several causes may hold at once, and all are told. The first of dead address, complaint, unsubscribed, former
  employee, manual, return count is the one reported, with the time, mailing and reason of the fact that began it; of a
  return count, of the bounce that exceeded it.
- A stream may be exempt from some causes: for it, these hold only as far as its own mailings gave cause.
- Where only unsubscribes from streams hold, those streams skip the address, and others may mail it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from types import MappingProxyType

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.tenant_settings.domain import DEAD, Counting, Effect, Policy

MAX_ADDRESSES = 10_000
"""Of one request or command."""
NEVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bounce:
    """One failed delivery that ended hard, or one complaint (`reason` tells)."""

    mailing: str
    reason: Reason
    time: datetime
    may_block: bool = False
    stream: str | None = None
    ip: str | None = None
    """Of the host that sent."""
    confidence: float = 1.0
    """Of the verdict, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The owner wants no more of a stream; without one, no more of anything."""

    time: datetime
    stream: str | None = None
    mailing: str | None = None


NO_SUBSCRIPTIONS: Mapping[str | None, datetime] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one address; times are `NEVER` when it has not happened."""

    bounces: Sequence[Bounce] = ()
    delivered: datetime = NEVER
    """The last delivery."""
    cleared: datetime = NEVER
    """The last clear."""
    manual: datetime = NEVER
    """The last block by hand."""
    manual_until: datetime = FOREVER
    former: datetime = NEVER
    """When the last of its owners was said to have left."""
    former_lifted: datetime = NEVER
    unsubscribes: Sequence[Unsubscribe] = ()
    subscriptions: Mapping[str | None, datetime] = field(default_factory=lambda: NO_SUBSCRIPTIONS)
    """The last one by stream; that to everything at none."""


@dataclass(frozen=True, slots=True)
class Block:
    """Why, since when and until when an address is skipped."""

    cause: BlockCause
    since: datetime
    reason: Reason | None = None
    mailing: str | None = None
    until: datetime | None = None
    exempt_streams: tuple[str, ...] = ()
    """Streams that may be mailed all the same."""
    streams: tuple[str, ...] = ()
    """Streams that skip it; none: all."""
    also: tuple[BlockCause, ...] = ()
    """What else holds, in the order of the enum."""

    @property
    def causes(self) -> list[BlockCause]:
        """Every cause that holds, the one reported first."""
        return [self.cause, *self.also]


@dataclass(frozen=True, slots=True)
class AddressState:
    """What mailings do with the address: they skip it when there is a block."""

    return_count: int = 0
    block: Block | None = None
    changes_at: datetime | None = None
    """When the state changes by time alone; none: never."""


def evaluate(facts: Facts, policy: Policy, now: datetime) -> AddressState:
    """Return the state that follows from the facts."""
    since_clear = [bounce for bounce in facts.bounces if bounce.time > facts.cleared]
    returns = _returns(since_clear, facts.delivered, policy)
    counted = [bounce for bounce in returns if _after(bounce.time, policy.decay_days) > now]
    blocks = list(_blocks(facts, since_clear, returns, policy, now))
    changes = [block.until for block in blocks if block.until]
    block = blocks[0] if blocks else None
    if (block and policy.streams) or facts.unsubscribes:
        by_stream = {
            stream: list(_blocks_of(stream, facts, since_clear, returns, policy, now))
            for stream in sorted({*policy.streams, *_streams_of(facts)})
        }
        for held in by_stream.values():
            changes += [block.until for block in held if block.until]
            blocks += held
        if block:
            exempt = tuple(stream for stream, held in by_stream.items() if not held)
            block = replace(block, exempt_streams=exempt)
        elif blocks:
            block = replace(blocks[0], streams=tuple(stream for stream, held in by_stream.items() if held))
    if block and len(blocks) > 1 and (causes := {each.cause for each in blocks} - {block.cause}):
        block = replace(block, also=tuple(cause for cause in BlockCause if cause in causes))
    if policy.decay_days is not None:
        changes += [_after(bounce.time, policy.decay_days) for bounce in counted]
    return AddressState(len(counted), block, min(changes, default=None))


def returned(bounce: Bounce, policy: Policy) -> bool:
    """Say whether this is a bounce that its tenant counts."""
    return bounce.reason is not Reason.COMPLAINT and policy.effects[bounce.reason] is not Effect.IGNORE


def blocks_at_once(bounce: Bounce, policy: Policy) -> bool:
    """Say whether this bounce blocks by itself; of a dead address it does so from some confidence on."""
    if not bounce.may_block or bounce.reason is Reason.COMPLAINT or policy.effects[bounce.reason] is not Effect.BLOCK:
        return False
    return bounce.reason not in DEAD or bounce.confidence >= policy.dead_confidence


def _returns(bounces: Sequence[Bounce], delivered: datetime, policy: Policy) -> list[Bounce]:
    """Return what is counted, by time: of each mailing the last bounce, and of these the first of a day."""
    if policy.counting is Counting.ALL:
        delivered = NEVER
    last: dict[str, Bounce] = {}
    for bounce in bounces:
        if bounce.time > delivered and returned(bounce, policy):
            known = last.get(bounce.mailing)
            if known is None or _order(known) < _order(bounce):
                last[bounce.mailing] = bounce
    returns = sorted(last.values(), key=_order)
    if policy.once_a_day:
        return list({bounce.time.date(): bounce for bounce in reversed(returns)}.values())[::-1]
    return returns


def _blocks(
    facts: Facts, bounces: Sequence[Bounce], returns: Sequence[Bounce], policy: Policy, now: datetime
) -> Iterator[Block]:
    """Yield the blocks that hold now, the most important first."""
    blocking = [bounce for bounce in bounces if policy.effects[bounce.reason] is Effect.BLOCK]
    dead = sorted((b for b in blocking if blocks_at_once(b, policy)), key=_order)
    if dead and (block := _last(BlockCause.DEAD_ADDRESS, ((b, FOREVER) for b in dead), policy, now)):
        yield block
    complaints = [bounce for bounce in blocking if bounce.reason is Reason.COMPLAINT]
    if complaints:
        first = min(complaints, key=_order)
        yield Block(BlockCause.COMPLAINT, first.time, first.reason, first.mailing)
    if unsubscribe := _unsubscribed(facts, None):
        yield Block(BlockCause.UNSUBSCRIBED, unsubscribe.time, Reason.UNSUBSCRIBE, unsubscribe.mailing)
    if facts.former > facts.former_lifted:
        yield Block(BlockCause.FORMER_EMPLOYEE, facts.former)
    if facts.manual > facts.cleared and facts.manual_until > now:
        yield Block(BlockCause.MANUAL, facts.manual, until=_end(facts.manual_until))
    if len(returns) > policy.accepted_bounces:
        block = _last(BlockCause.RETURN_COUNT, _exceeding(returns, policy), policy, now)
        if block:
            yield block


def _blocks_of(
    stream: str,
    facts: Facts,
    bounces: Sequence[Bounce],
    returns: Sequence[Bounce],
    policy: Policy,
    now: datetime,
) -> Iterator[Block]:
    """Yield the blocks that hold for a stream: of the causes that it is exempt from, those that its own mails made."""
    exempt_from = policy.streams.get(stream, frozenset())
    shared = _blocks(replace(facts, unsubscribes=()), bounces, returns, policy, now)
    yield from (block for block in shared if block.cause not in exempt_from)
    if unsubscribe := _unsubscribed(facts, stream, own_alone=BlockCause.UNSUBSCRIBED in exempt_from):
        yield Block(BlockCause.UNSUBSCRIBED, unsubscribe.time, Reason.UNSUBSCRIBE, unsubscribe.mailing)
    own = [bounce for bounce in bounces if bounce.stream == stream]
    if own:
        by_bounces = replace(facts, manual=NEVER, former=NEVER, unsubscribes=())
        own_blocks = _blocks(by_bounces, own, _returns(own, facts.delivered, policy), policy, now)
        yield from (block for block in own_blocks if block.cause in exempt_from)


def _unsubscribed(facts: Facts, stream: str | None, *, own_alone: bool = False) -> Unsubscribe | None:
    """Return the first unsubscribe that holds for a stream, or for all others; `own_alone`: from that stream itself."""
    if not facts.unsubscribes:
        return None
    subscribed = max(facts.subscriptions.get(None, NEVER), facts.subscriptions.get(stream, NEVER))
    wanted = (stream,) if own_alone else (None, stream)
    holding = [each for each in facts.unsubscribes if each.stream in wanted and each.time >= subscribed]
    return min(holding, key=lambda each: (each.time, each.mailing or ""), default=None)


def _streams_of(facts: Facts) -> set[str]:
    """Return the streams that anybody has unsubscribed from or subscribed to."""
    return {
        stream for stream in (*(each.stream for each in facts.unsubscribes), *facts.subscriptions) if stream is not None
    }


def _exceeding(returns: Sequence[Bounce], policy: Policy) -> Iterator[tuple[Bounce, datetime]]:
    """Yield each bounce with which the count exceeded what is accepted, and how long it does so if nothing follows."""
    for place in range(policy.accepted_bounces, len(returns)):
        lasts = _after(returns[place - policy.accepted_bounces].time, policy.decay_days)
        if lasts > returns[place].time:
            yield returns[place], lasts


def _last(cause: BlockCause, grounds: Iterable[tuple[Bounce, datetime]], policy: Policy, now: datetime) -> Block | None:
    """Return the last of the blocks that follow from these grounds (in the order of time, each with an end), if it
    holds: while one holds, the next ground begins none."""
    began: Bounce | None = None
    expires = until = NEVER
    number = 0
    for ground, lasts in grounds:
        if began is None or ground.time >= until:
            began = ground
            days = policy.expiry_days[min(number, len(policy.expiry_days) - 1)] if policy.expiry_days else None
            expires = _after(ground.time, days)
            number += 1
        until = min(expires, lasts)
    if began is None or until <= now:
        return None
    return Block(cause, began.time, began.reason, began.mailing, _end(until))


def _after(time: datetime, days: int | None) -> datetime:
    if days is None or days >= (FOREVER - time).days:
        return FOREVER
    return time + timedelta(days=days)


def _end(time: datetime) -> datetime | None:
    return None if time == FOREVER else time


_order = attrgetter("time", "mailing", "reason")
