"""The standing of an address: from all facts that are known of it to its return count and its block.

A pure function of the set of facts: the order in which they came in, and how often, changes nothing. The rules:

- A fact counts only when it is later than the last clear (`time > cleared`).
- The return count is the number of different mailings with a bounce that is later than both the last clear and the last
  delivery, and whose reason has the effect `block` or `count`. At the same time as a clear or a delivery is not later.
- An address is blocked when, after the last clear, a bounce that may block has a reason with the effect `block`
  (dead address), or a complaint came in (and complaints have the effect `block`), or somebody blocked it by hand; or
  when the return count exceeds the accepted bounces. Deliveries reduce the count, and nothing else.
- Several causes may hold at once. The first of dead address, complaint, manual, return count is the one that is told,
  with the time, mailing and reason of its earliest fact; of a return count, those of the bounce that exceeded it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

from services.blocklist.policy import Effect, Policy
from shared.vocabulary import BlockCause, Reason

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bounce:
    """One failed delivery that ended hard, or one complaint (`reason` tells)."""

    mailing: str
    reason: Reason
    time: datetime
    may_block: bool = False


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


@dataclass(frozen=True, slots=True)
class Block:
    """Why and since when an address is skipped."""

    cause: BlockCause
    since: datetime
    reason: Reason | None = None
    mailing: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What mailings do with the address: skip it when there is a block."""

    return_count: int = 0
    block: Block | None = None


def stand(facts: Facts, policy: Policy) -> Standing:
    """Return the standing that follows from the facts."""
    since_clear = [bounce for bounce in facts.bounces if bounce.time > facts.cleared]
    returns = _returns(since_clear, facts.delivered, policy)
    return Standing(len(returns), _block(facts, since_clear, returns, policy))


def returned(bounce: Bounce, policy: Policy) -> bool:
    """Say whether this is a bounce that its tenant counts."""
    return bounce.reason is not Reason.COMPLAINT and policy.effects[bounce.reason] is not Effect.IGNORE


def _returns(bounces: Sequence[Bounce], delivered: datetime, policy: Policy) -> list[Bounce]:
    """Return the last counted bounce of each mailing."""
    last: dict[str, Bounce] = {}
    for bounce in bounces:
        if bounce.time > delivered and returned(bounce, policy):
            known = last.get(bounce.mailing)
            if known is None or _order(known) < _order(bounce):
                last[bounce.mailing] = bounce
    return list(last.values())


def _block(facts: Facts, bounces: Sequence[Bounce], returns: list[Bounce], policy: Policy) -> Block | None:
    blocking = [bounce for bounce in bounces if policy.effects[bounce.reason] is Effect.BLOCK]
    dead = [bounce for bounce in blocking if bounce.may_block and bounce.reason is not Reason.COMPLAINT]
    if dead:
        return _because(BlockCause.DEAD_ADDRESS, min(dead, key=_order))
    complaints = [bounce for bounce in blocking if bounce.reason is Reason.COMPLAINT]
    if complaints:
        return _because(BlockCause.COMPLAINT, min(complaints, key=_order))
    if facts.manual > facts.cleared:
        return Block(BlockCause.MANUAL, facts.manual)
    if len(returns) > policy.accepted_bounces:
        return _because(BlockCause.RETURN_COUNT, sorted(returns, key=_order)[policy.accepted_bounces])
    return None


def _because(cause: BlockCause, bounce: Bounce) -> Block:
    return Block(cause, bounce.time, bounce.reason, bounce.mailing)


_order = attrgetter("time", "mailing", "reason")
