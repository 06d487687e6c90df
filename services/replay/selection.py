"""What an operator means: a selection of dead letters, or of the archive."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts import Name
from shared.topology import queues

State = Literal["dead", "replayed", "discarded"]
EventType = Annotated[str, StringConstraints(pattern=r"^returpost\.[a-z]+\.[a-z]+\.v\d+$")]


class Letters(BaseModel):
    """Dead letters by where and how they failed; at least one condition, so that `all` is said and not forgotten."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: bool = False
    queue: str | None = None
    fingerprint: str | None = None
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
        known = {queue.name for queue in queues(()) if queue.arguments.get("x-queue-type") == "quorum"}
        if self.into not in known:
            raise ValueError(f"into: no such queue; there are {', '.join(sorted(known))}")
        return self

    def wants(self, event: dict[str, Any]) -> bool:
        """Tell whether an event of the archive is meant."""
        if event.get("type") != self.type or self.tenant not in (None, event.get("tenant")):
            return False
        moment = time_of(event)
        return moment is not None and self.since <= moment < self.until


def time_of(event: dict[str, Any]) -> datetime | None:
    """Return when an event was made, or nothing when it does not say so."""
    try:
        return datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return None
