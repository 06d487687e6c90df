"""What an operator selects: dead letters, or events of the archive."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from returpost.contracts import Name, Text
from returpost.contracts.routing import EVENTS
from shared.messaging.topology import binding_matches, queues

State = Literal["dead", "replayed", "discarded"]
_BOUND_KEYS = {
    queue.name: keys
    for queue in queues(())
    if queue.arguments.get("x-queue-type") == "quorum"
    and (keys := [binding.key for binding in queue.bindings if binding.exchange == EVENTS])
}
"""The binding keys of each quorum queue that takes events."""

EventType = Annotated[str, StringConstraints(pattern=r"^returpost\.[a-z]+\.[a-z]+\.v\d+$")]


class DeadLetterSelection(BaseModel):
    """Dead letters by where and how they failed: all conditions must hold, `all` selects everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: bool = False
    queue: Text | None = None
    fingerprint: Text | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    ids: list[UUID] | None = Field(default=None, max_length=10_000)

    @model_validator(mode="after")
    def _not_empty(self) -> "DeadLetterSelection":
        conditions = (self.queue, self.fingerprint, self.since, self.until, self.ids)
        if not self.all and all(condition is None for condition in conditions):
            raise ValueError("specify at least one of queue, fingerprint, since, until, ids; or all")
        return self


class ArchiveSelection(BaseModel):
    """Events of the archive by type and time, and the queue that they are sent to again."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    type: EventType
    since: AwareDatetime
    until: AwareDatetime
    into: str
    tenant: Name | None = None

    @model_validator(mode="after")
    def _valid(self) -> "ArchiveSelection":
        if self.since >= self.until:
            raise ValueError("since must be before until")
        noun_verb = self.type.removeprefix("returpost.").rpartition(".")[0]
        takers = sorted(
            name for name, keys in _BOUND_KEYS.items() if any(key.startswith(f"{noun_verb}.") for key in keys)
        )
        if self.into not in takers:
            raise ValueError(
                f"into: no such queue, or it does not take {self.type}; allowed: {', '.join(takers) or 'none'}"
            )
        return self

    def matches(self, event: dict[str, Any], routing_key: str) -> bool:
        """Tell whether an event is selected, and its routing key is bound to the queue."""
        if event.get("type") != self.type or self.tenant not in (None, event.get("tenant")):
            return False
        if not any(binding_matches(key, routing_key) for key in _BOUND_KEYS[self.into]):
            return False
        moment = time_of(event)
        return moment is not None and self.since <= moment < self.until


def time_of(event: dict[str, Any]) -> datetime | None:
    """Return the time of an event, or None when it has none with an offset."""
    try:
        moment = datetime.fromisoformat(str(event.get("time")))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
