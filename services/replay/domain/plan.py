"""What an action over dead letters would do, and what is no longer possible and why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.replay.domain.event_facts import NO_QUEUE
from services.replay.domain.selection import accepts, reports_outcome, takes_type


@dataclass(frozen=True, slots=True)
class Count:
    """Dead letters of one queue, type and way of publishing, with what stands in the way of replaying them."""

    queue: str
    event_type: str
    obstacle: str
    count: int
    exchange: str = ""
    routing_key: str = ""


@dataclass(frozen=True, slots=True)
class Impossible:
    """Dead letters that an action leaves as they are."""

    count: int
    why: str


@dataclass(frozen=True, slots=True)
class TargetQueue:
    """A queue that dead letters would be sent to."""

    queue: str
    dead_letters: int
    reports_outcome: bool
    """Whether its reader reports what became of them; a sender's does not."""
    waiting: int | None = None
    """Messages in it now; none: not known."""


@dataclass(frozen=True, slots=True)
class Feasible:
    """What can be done of a selection."""

    dead_letters: int
    impossible: list[Impossible]
    targets: list[TargetQueue]
    kinds: list[tuple[str, str, str]]
    """Type, exchange and routing key of what can be sent."""


def feasible(counts: Iterable[Count], *, into: str | None, gone: Sequence[str] = ()) -> Feasible:
    """Return what a replay can do of what was counted; `gone` are queues that are not there any more."""
    targets: Counter[str] = Counter()
    impossible: Counter[str] = Counter()
    kinds = set[tuple[str, str, str]]()
    for one in counts:
        target = into or one.queue
        if one.obstacle and not (one.obstacle == NO_QUEUE and into):
            impossible[one.obstacle] += one.count
        elif into and not takes_type(into, one.event_type):
            impossible[f"{into} does not take {one.event_type or 'what has no type'}"] += one.count
        elif into and not accepts(into, one.exchange, one.routing_key):
            impossible[f"{into} does not take the routing key {one.routing_key}"] += one.count
        elif target in gone:
            impossible[f"the queue {target} is gone"] += one.count
        else:
            targets[target] += one.count
            kinds.add((one.event_type, one.exchange, one.routing_key))
    return Feasible(
        targets.total(),
        [Impossible(count, why) for why, count in impossible.most_common()],
        [TargetQueue(queue, count, reports_outcome(queue)) for queue, count in targets.most_common()],
        sorted(kinds),
    )
