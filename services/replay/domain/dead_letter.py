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
    attempt: int
    error: Diagnostic
    stack: Text
    fingerprint: Text
    content_type: Text
    body: bytes


def identity(dead_letter: DeadLetter) -> UUID:
    """Return the id of a dead letter from its content: the same for a redelivery, another for a second failure."""
    digest = hashlib.sha256(dead_letter.body)
    digest.update(f"\x1f{dead_letter.queue}\x1f{dead_letter.attempt}\x1f{dead_letter.failed_at.isoformat()}".encode())
    return UUID(bytes=digest.digest()[:16])
