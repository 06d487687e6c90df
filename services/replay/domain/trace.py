"""What happened to one address, mailing or event: which events belong to it, and which follows from which."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from returpost.contracts import ids
from returpost.contracts.addresses import key
from services.replay.domain.selection import State, is_for_webhooks, takers

ADDRESS_FIELDS = ("address", "old", "new")
FACTS = (
    "result", "sender", "attempt", "stream", "verdict.type", "verdict.reason", "verdict.fault", "verdict.rule",
    "verdict.confidence", "exhausted", "retry_at", "evidence.reply_code", "evidence.status", "evidence.provider",
    "cause", "reason", "return_count", "version", "until", "by", "operation", "operation_id", "state", "contact",
)  # fmt: skip
"""Fields of events that say what was decided, and hold no text of somebody else's."""


@dataclass(frozen=True, slots=True)
class QueueState:
    """Where an event is in one of the queues that take it."""

    queue: str
    state: Literal["waiting", "taken", "unknown"] | State
    """waiting: in the queue. taken: in the hands of its service, or done with. unknown: the archive was not read to its
    end. Else it died there, and this is what became of the dead letter."""
    ahead: int | None = None
    """Messages before it, while it waits."""
    dead_letter: UUID | None = None


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One event of a trace."""

    time: datetime
    type: str
    id: str
    cause: str | None
    """Id of the event that it follows from, when that is in the trace too: ids are derived, so it is certain."""
    tenant: str
    mailing: str | None
    address: str | None
    facts: dict[str, str]
    offset: int
    """In the archive."""
    seconds: float | None = None
    """From the event that it follows from to this one: the time in the queue and in the hands of the service."""
    queues: tuple[QueueState, ...] = ()
    """Those that take it."""
    for_webhooks: bool = False
    """Whether the webhooks of its tenant get it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a trace is about: one of these."""

    address: str | None = None
    mailing: str | None = None
    event: str | None = None

    def needle(self) -> bytes | None:
        """Return bytes that every message about it has, in lower case; None where JSON may write it differently."""
        text = self.address or self.mailing or self.event or ""
        return text.lower().encode() if text.isascii() and text.isprintable() and not set(text) & set('"\\/') else None

    def matches(self, event: dict[str, Any]) -> bool:
        """Tell whether an event is about it."""
        data = _data(event)
        if self.event is not None:
            return event.get("id") == self.event
        if self.mailing is not None:
            return data.get("mailing") == self.mailing
        return self.address is not None and key(self.address) in {key(one) for one in addresses_of(data)}


def addresses_of(data: dict[str, Any]) -> Iterator[str]:
    """Yield the addresses that the data of an event names."""
    several = data.get("addresses")
    for value in (*(data.get(name) for name in ADDRESS_FIELDS), *(several if isinstance(several, list) else ())):
        if isinstance(value, str):
            yield value


def step_of(event: dict[str, Any], moment: datetime, offset: int) -> TraceStep:
    """Return an event of the archive as a step, without its cause."""
    data = _data(event)
    mailing = data.get("mailing")
    return TraceStep(
        time=moment,
        type=str(event.get("type")),
        id=str(event.get("id")),
        cause=None,
        tenant=str(event.get("tenant")),
        mailing=mailing if isinstance(mailing, str) else None,
        address=next(addresses_of(data), None),
        facts={name: str(value) for name in FACTS if (value := _field(data, name)) not in (None, "", [], False)},
        offset=offset,
        for_webhooks=is_for_webhooks(str(event.get("type"))),
    )


def causes(steps: Sequence[TraceStep]) -> dict[str, str]:
    """Return by the id of each step the id of the one that it follows from.

    An id is derived from its cause, so each pair is tried: types are few, and versions known.
    """
    known = {step.id for step in steps}
    types = {step.type for step in steps}
    found: dict[str, str] = {}
    for step in steps:
        for type_ in types:
            for n in (0, 1):
                if (child := ids.derived(step.id, type_, n)) in known:
                    found[child] = step.id
    by_address: dict[str, list[TraceStep]] = defaultdict(list)
    for step in steps:
        if step.address:
            by_address[key(step.address)].append(step)
    for step in steps:
        version = step.facts.get("version", "")
        if step.address and version.isdigit():
            for other in by_address[key(step.address)]:
                if ids.derived(other.id, f"{step.type} {key(step.address)}", int(version)) == step.id:
                    found[step.id] = other.id
    return found


def linked(steps: Sequence[TraceStep]) -> list[TraceStep]:
    """Return the steps in their order, each with the one that it follows from and how long that took."""
    why, times = causes(steps), {step.id: step.time for step in steps}
    return ordered(
        replace(step, cause=cause, seconds=max(0.0, (step.time - times[cause]).total_seconds()))
        if (cause := why.get(step.id)) is not None
        else step
        for step in steps
    )


def ordered(steps: Iterable[TraceStep]) -> list[TraceStep]:
    """Return the steps in the order in which they were published."""
    return sorted({step.id: step for step in steps}.values(), key=lambda step: step.offset)


class Arrivals:
    """Counts messages of the archive by the queues that take them: what came after one is what stands behind it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, routing_key: str) -> dict[str, int]:
        """Count a message; return by queue how many there are with it."""
        found = takers(routing_key)
        self._counts.update(found)
        return {queue: self._counts[queue] for queue in found}

    def states(
        self, numbers: Mapping[str, int], depths: Mapping[str, int | None], *, complete: bool
    ) -> tuple[QueueState, ...]:
        """Tell where a message is, by its number in each queue and by how many wait there.

        Queues are first in, first out: it waits when more wait than came after it. What was sent into a queue again
        counts as if it had come after. A queue that is not there is left out.
        """
        found = []
        for queue, number in numbers.items():
            depth, behind = depths.get(queue), self._counts[queue] - number
            if depth is not None:
                if depth and not complete:
                    found.append(QueueState(queue, "unknown"))
                elif depth > behind:
                    found.append(QueueState(queue, "waiting", ahead=depth - behind - 1))
                else:
                    found.append(QueueState(queue, "taken"))
        return tuple(found)


def with_dead_letters(step: TraceStep, died: Iterable[QueueState]) -> TraceStep:
    """Return a step with what became of it in the queues where it died."""
    found = {state.queue: state for state in (*step.queues, *died)}
    return replace(step, queues=tuple(found.values()))


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    return data if isinstance(data, dict) else {}


def _field(data: dict[str, Any], name: str) -> Any:
    outer, _, inner = name.partition(".")
    value = data.get(outer)
    return (value.get(inner) if isinstance(value, dict) else None) if inner else value
