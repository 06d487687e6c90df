"""What an operator means: a selection of dead letters, or of the archive."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from returpost.contracts import Name, Text
from returpost.contracts.routing import EVENTS
from shared.messaging.topology import queues

State = Literal["dead", "replayed", "discarded"]
_TAKES = {
    queue.name: keys
    for queue in queues(())
    if queue.arguments.get("x-queue-type") == "quorum"
    and (keys := [binding.key for binding in queue.bindings if binding.exchange == EVENTS])
}
"""What each queue is given of all events."""

EventType = Annotated[str, StringConstraints(pattern=r"^returpost\.[a-z]+\.[a-z]+\.v\d+$")]


class Letters(BaseModel):
    """Dead letters by where and how they failed; at least one condition, so that `all` is said and not forgotten."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: bool = False
    queue: Text | None = None
    fingerprint: Text | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    ids: list[UUID] | None = Field(default=None, max_length=10_000)

    @model_validator(mode="after")
    def _says_something(self) -> "Letters":
        conditions = (self.queue, self.fingerprint, self.since, self.until, self.ids)
        if not self.all and all(condition is None for condition in conditions):
            raise ValueError("selects nothing; name a queue, a fingerprint, a time, ids, or say all")
        return self

    def arguments(self) -> tuple[Any, ...]:
        """Return the arguments of the statements that select letters, after the state."""
        return self.queue, self.fingerprint, self.since, self.until, self.ids


class Archive(BaseModel):
    """Events of the archive by type and time, and the queue that they go into once more."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    type: EventType
    since: AwareDatetime
    until: AwareDatetime
    into: str
    tenant: Name | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "Archive":
        if self.since >= self.until:
            raise ValueError("since must be before until")
        noun_verb = self.type.removeprefix("returpost.").rpartition(".")[0]
        takes = sorted(name for name, keys in _TAKES.items() if any(key.startswith(f"{noun_verb}.") for key in keys))
        if self.into not in takes:
            raise ValueError(f"into: no such queue, or it does not take {self.type}; {', '.join(takes) or 'none'} does")
        return self

    def wants(self, event: dict[str, Any], routing_key: str) -> bool:
        """Tell whether an event of the archive is meant, and is one that the queue would have been given."""
        if event.get("type") != self.type or self.tenant not in (None, event.get("tenant")):
            return False
        if not any(matches(key, routing_key) for key in _TAKES[self.into]):
            return False
        moment = time_of(event)
        return moment is not None and self.since <= moment < self.until


def time_of(event: dict[str, Any]) -> datetime | None:
    """Return when an event was made, or nothing when it does not say so with an offset."""
    try:
        moment = datetime.fromisoformat(str(event.get("time")))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def matches(pattern: str, routing_key: str) -> bool:
    """Tell whether a binding of a topic exchange takes a routing key; `#` is known at the end of a pattern alone."""
    words, given = pattern.split("."), routing_key.split(".")
    if words[-1] == "#":
        words, given = words[:-1], given[: len(words) - 1]
    return len(words) == len(given) and all(word in ("*", other) for word, other in zip(words, given, strict=True))
