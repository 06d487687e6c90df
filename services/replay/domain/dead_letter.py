"""A dead letter: a message that a service could not process."""

import hashlib
from typing import Any, ClassVar
from uuid import UUID

from pydantic import Field

from returpost.contracts import Contract, Diagnostic, Text, Time


class DeadLetter(Contract):
    """A message that a service could not process."""

    TYPE: ClassVar[str] = "returpost.dead-letter.received.v1"

    failed_at: Time
    queue: Text
    exchange: Text
    routing_key: Text
    published_by: Text
    """The broker's user, as RabbitMQ has verified it; empty when the message did not name it."""
    attempt: int
    error: Diagnostic
    error_type: Text = ""
    stack: Text
    fingerprint: Text
    quarantined: bool
    """Processes have died while they had it in hand."""
    content_type: Text
    release: Text = ""
    """Of the code that failed."""
    headers: dict[str, Any] = Field(default_factory=dict)
    """The message's own."""
    replay_part: Text = ""
    """`<job>/<part>` of the replay that it came of, if any."""
    body: bytes


class ReplayOutcome(Contract):
    """What became of parts of replays, as the consumer of a queue reports it after its commit."""

    TYPE: ClassVar[str] = "returpost.dead-letter.processed.v1"

    queue: Text
    parts: dict[str, list[str]]
    """By part, the digests (SHA-256, hexadecimal) of what failed again."""


def identity(dead_letter: DeadLetter) -> UUID:
    """Return the id of a dead letter from its content: the same for a message that comes and fails once more, be it
    redelivered or published again; another when it was replayed and has failed again."""
    digest = hashlib.sha256(dead_letter.body)
    origin = (dead_letter.queue, dead_letter.exchange, dead_letter.routing_key, dead_letter.published_by)
    digest.update("\x1f".join(("", *origin, str(dead_letter.attempt))).encode())
    return UUID(bytes=digest.digest()[:16])
