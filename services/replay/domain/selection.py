"""Which dead letters an operator selects, and which queue takes what."""

from functools import lru_cache
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from returpost.contracts import Text
from returpost.contracts.addresses import hide_addresses
from returpost.contracts.routing import BLOCKS, COMMANDS, EVENTS, SERVICES, sender_queue
from shared.messaging.topology import binding_matches, queues

State = Literal["dead", "pending", "processed", "failed", "replayed", "discarded", "edited"]
"""dead: nothing was done with it. pending: sent again, and not yet heard of. processed: its effects are committed.
failed: it failed again, as another dead letter. replayed: sent to a queue whose reader reports nothing (a sender's).
discarded: put away, can be restored. edited: an edited one took its place."""
GroupField = Literal["fingerprint", "queue", "type", "tenant", "hour", "release"]
_KEYS = {
    queue.name: [
        (binding.exchange, binding.key) for binding in queue.bindings if binding.exchange in (EVENTS, COMMANDS)
    ]
    for queue in queues(())
    if queue.arguments.get("x-queue-type") == "quorum"
}
BOUND_KEYS = {
    name: keys for name, bound in _KEYS.items() if (keys := [key for exchange, key in bound if exchange == EVENTS])
}
"""The binding keys of each quorum queue that takes events."""
_BLOCK_KEYS = [binding.key for queue in queues(()) if queue.name == BLOCKS for binding in queue.bindings]


@lru_cache(maxsize=10_000)
def takers(routing_key: str) -> tuple[str, ...]:
    """Return the queues of the services that take an event that was published with this routing key."""
    return tuple(
        queue for queue, keys in BOUND_KEYS.items() if any(binding_matches(pattern, routing_key) for pattern in keys)
    )


def event_queues() -> tuple[str, ...]:
    """Return the queues of the services that take events."""
    return tuple(BOUND_KEYS)


def is_for_webhooks(event_type: str) -> bool:
    """Tell whether webhooks get a type of event: they are posted what is in the stream of blocks."""
    noun_verb = event_type.removeprefix("returpost.").rpartition(".")[0]
    return any(key.startswith(f"{noun_verb}.") for key in _BLOCK_KEYS)


def takes_type(queue: str, event_type: str) -> bool:
    """Tell whether a queue takes a type of event or command."""
    noun_verb = event_type.removeprefix("returpost.").rpartition(".")[0]
    return any(key.startswith(f"{noun_verb}.") for _, key in _keys_of(queue))


def accepts(queue: str, exchange: str, routing_key: str) -> bool:
    """Tell whether a queue takes what was published in this way: its consumer refuses anything else."""
    return any(exchange == bound and binding_matches(pattern, routing_key) for bound, pattern in _keys_of(queue))


def _keys_of(queue: str) -> list[tuple[str, str]]:
    """Return the bindings of a service's queue, or of a sender's, whatever senders there are."""
    for sender in queue.split(".")[1:2]:
        if queue == sender_queue(sender):
            return [(COMMANDS, f"retry.requested.*.{sender}")]
    return _KEYS.get(queue, [])


def reports_outcome(queue: str) -> bool:
    """Tell whether the reader of a queue is a service of ours, which reports what became of a replayed message."""
    return queue.partition(".")[0] in SERVICES


EventType = Annotated[str, StringConstraints(pattern=r"^returpost\.[a-z]+\.[a-z]+\.v\d+$")]


class DeadLetterSelection(BaseModel):
    """Dead letters by where and how they failed: all conditions must hold, `all` selects everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: bool = False
    queue: Text | None = None
    fingerprint: Text | None = None
    error_type: Text | None = None
    type: Text | None = None
    """Of the event."""
    tenant: Text | None = None
    mailing: Text | None = None
    event: Text | None = None
    """Id of the event."""
    release: Text | None = None
    text: Text | None = None
    """A part of the error, in any case."""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    ids: list[UUID] | None = Field(default=None, max_length=10_000)
    job: UUID | None = None
    """Those that a job has in hand or had."""

    @model_validator(mode="after")
    def _not_empty(self) -> "DeadLetterSelection":
        if not self.all and all(value is None for name, value in self if name != "all"):
            names = ", ".join(name for name in type(self).model_fields if name != "all")
            raise ValueError(f"specify at least one of {names}; or all")
        return self

    def stored(self) -> Self:
        """Return what is kept of it: no address that was looked for."""
        return self if self.text is None else self.model_copy(update={"text": hide_addresses(self.text)})
