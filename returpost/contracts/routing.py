"""Names of exchanges, streams and queues, and routing keys: what clients and services must agree on."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

EVENTS = "returpost.events"
"""Topic exchange: what has happened. Routing key `<noun>.<verb>.<tenant>[.<detail>]`."""
COMMANDS = "returpost.commands"
"""Topic exchange: what shall be done, and what senders hand in, which is kept out of the archive."""
DEAD = "returpost.dead"
"""Fan-out exchange: messages that a service could not process."""
REPLAY = "returpost.replay"
"""Direct exchange: into one service's queue, by the queue's name."""
REPLAY_OUTCOMES = "returpost.replay-outcomes"
"""Fan-out exchange: what became of messages that were replayed, as their consumers report it."""

ANSWERS = "amq.default"
"""What RabbitMQ calls its nameless exchange where it asks who may write to it: answers go by it to whoever asked."""
ARCHIVE = "returpost.archive"
BLOCKS = "returpost.blocks"
CHANGES = "returpost.changes"
REVOCATIONS = "returpost.revocations"
CONSUMERS = "returpost.consumers"
"""Stream of what operators paused and resumed."""
DEAD_LETTERS = "replay.dead-letters"
OUTCOMES = "replay.outcomes"
PARKED = "replay.parked"
"""Dead letters that replay itself could not keep; nobody consumes it."""

PLATFORM: Final = "returpost"
"""In the place of a tenant: what concerns no tenant's data alone."""

SERVICES = ("ingest", "classifier", "blocklist", "actions", "replay", "alerts")


def queue_of(service: str, verb: str) -> str:
    """Name of a service's queue for one type of input."""
    return f"{service}.{verb}"


def sender_queue(sender: str) -> str:
    """Name of the queue that a sender takes its retry commands from."""
    return f"sender.{sender}.retry-requested"


def sender_mailing_queue(sender: str) -> str:
    """Name of the queue that a sender takes pauses of its mailings from, in order with what resumes them.

    A queue of its own: a pause does not wait behind a hundred thousand retries.
    """
    return f"sender.{sender}.mailing-pause"


@lru_cache(maxsize=4096)
@lru_cache
def _noun_verb(type_: str) -> str:
    return type_.removeprefix("returpost.").rpartition(".")[0]


def routing_key(type_: str, tenant: str, detail: str | None = None) -> str:
    """Routing key of an event of `type_` (`returpost.<noun>.<verb>.v1`): no address is ever part of it."""
    noun_verb = _noun_verb(type_)
    return f"{noun_verb}.{tenant}.{detail}" if detail else f"{noun_verb}.{tenant}"


FIRST_ROUTING_KEY: Final = "x-returpost-routing-key"
"""Header of a replayed message: the routing key that it was published with at first."""
SELECTED_BY_SENDER: Final = ("CC", "BCC")
"""Headers by which a sender routes a message to further keys, past the topic permissions
(https://www.rabbitmq.com/docs/sender-selected)."""


def routed_elsewhere(headers: Mapping[str, Any]) -> str:
    """Say that headers route a message to more keys than the one that was checked; nothing when none do."""
    found = [name for name in SELECTED_BY_SENDER if name in headers]
    return f"headers: {' and '.join(found)} not allowed; publish a message for each routing key" if found else ""


def misrouted(key: str, type_: str, tenant: str, detail: str | None) -> str:
    """Say that an event came by another routing key than its own; nothing when it did not."""
    own = routing_key(type_, tenant, detail)
    if key == own:
        return ""
    return f"type, tenant or detail: published by the routing key {key[:200]!r}, but this event's is {own!r}"
