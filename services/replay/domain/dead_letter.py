"""A dead letter: a message that a service could not process."""

import hashlib
from typing import ClassVar
from uuid import UUID

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
    stack: Text
    fingerprint: Text
    quarantined: bool
    """Processes have died while they had it in hand."""
    content_type: Text
    body: bytes


def identity(dead_letter: DeadLetter) -> UUID:
    """Return the id of a dead letter from its content: the same for a message that comes and fails once more, be it
    redelivered or published again; another when it was replayed and has failed again."""
    digest = hashlib.sha256(dead_letter.body)
    origin = (dead_letter.queue, dead_letter.exchange, dead_letter.routing_key, dead_letter.published_by)
    digest.update("\x1f".join(("", *origin, str(dead_letter.attempt))).encode())
    return UUID(bytes=digest.digest()[:16])
