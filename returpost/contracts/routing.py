"""Names of exchanges, streams and queues, and routing keys: what clients and services must agree on."""

from functools import lru_cache

EVENTS = "returpost.events"
"""Topic exchange: what has happened. Routing key `<noun>.<verb>.<tenant>[.<detail>]`."""
COMMANDS = "returpost.commands"
"""Topic exchange: what shall be done, and what senders hand in, which is kept out of the archive."""
DEAD = "returpost.dead"
"""Fan-out exchange: messages that a service could not process."""
REPLAY = "returpost.replay"
"""Direct exchange: into one service's queue, by the queue's name."""

ANSWERS = "amq.default"
"""What RabbitMQ calls its nameless exchange where it asks who may write to it: answers go by it to whoever asked."""
ARCHIVE = "returpost.archive"
BLOCKS = "returpost.blocks"
CHANGES = "returpost.changes"
REVOCATIONS = "returpost.revocations"
DEAD_LETTERS = "replay.dead-letters"

SERVICES = ("ingest", "classifier", "blocklist", "actions", "replay")


def queue_of(service: str, verb: str) -> str:
    """Name of a service's queue for one type of input."""
    return f"{service}.{verb}"


def sender_queue(sender: str) -> str:
    """Name of the queue that a sender takes its retry commands from."""
    return f"sender.{sender}.retry-requested"


@lru_cache(maxsize=4096)
@lru_cache
def _noun_verb(type_: str) -> str:
    return type_.removeprefix("returpost.").rpartition(".")[0]


def routing_key(type_: str, tenant: str, detail: str | None = None) -> str:
    """Routing key of an event of `type_` (`returpost.<noun>.<verb>.v1`): no address is ever part of it."""
    noun_verb = _noun_verb(type_)
    return f"{noun_verb}.{tenant}.{detail}" if detail else f"{noun_verb}.{tenant}"
