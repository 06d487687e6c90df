"""Which dead letters travel in one message: the cost is the message, not the event."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from returpost.amqp.publisher import MAX_BYTES, Message
from returpost.contracts.cloudevents import BATCHED
from returpost.contracts.routing import REPLAY
from shared.messaging.dead_letters import ATTEMPT, EXCHANGE, REPLAY_PART, ROUTING_KEY, USER

MAX_TOGETHER = 200
REPLAYER = "quarantine"
"""Who requests the second chance of what was quarantined: what may kill a process shares its message with nothing."""


@dataclass(frozen=True, slots=True)
class ToSend:
    """What is needed to send a dead letter again."""

    position: int
    id: UUID
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    """How it was published at first, and by whom: it is accepted by this again."""
    attempt: int
    content_type: str
    event_type: str
    event_id: str
    headers: str
    """JSON."""
    body: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class Part:
    """One message of a replay: dead letters that are sent, and reported, together."""

    number: int
    queue: str
    members: tuple[ToSend, ...]

    def message(self, job: UUID) -> Message:
        """Return the message; the bytes of each event are as they came."""
        first = self.members[0]
        headers: dict[str, Any] = {**json.loads(first.headers), ATTEMPT: first.attempt}
        headers |= {EXCHANGE: first.exchange, ROUTING_KEY: first.routing_key, USER: first.published_by}
        headers[REPLAY_PART] = f"{job}/{self.number}"
        if len(self.members) == 1:
            return Message(REPLAY, self.queue, first.body, first.content_type, headers)
        body = b"[" + b",".join(member.body for member in self.members) + b"]"
        return Message(REPLAY, self.queue, body, BATCHED, headers)


def split_into_parts(
    chosen: Sequence[ToSend], first_number: int, into: str | None, *, alone: bool = False
) -> list[Part]:
    """Put into one part what goes to one queue, came the same way, is of one type, has failed as often and has the same
    headers; with `alone` nothing shares its part.

    Whatever is no single event with an id stands alone, and so do equal bytes: by their digests a failure is told
    from its neighbours.
    """
    groups: dict[tuple[object, ...], list[ToSend]] = {}
    for item in chosen:
        key: tuple[object, ...] = (
            into or item.queue, item.exchange, item.routing_key, item.published_by, item.event_type, item.attempt,
            item.headers,
        )  # fmt: skip
        if alone or not (item.event_id and item.event_type):
            key = (item.position,)
        groups.setdefault(key, []).append(item)
    parts: list[list[ToSend]] = [part for group in groups.values() for part in _bounded(group)]
    return [Part(number, into or part[0].queue, tuple(part)) for number, part in enumerate(parts, first_number)]


def _bounded(group: Sequence[ToSend]) -> list[list[ToSend]]:
    parts: list[list[ToSend]] = [[]]
    size, seen = 0, set[str]()
    for item in group:
        if len(parts[-1]) >= MAX_TOGETHER or size + len(item.body) > MAX_BYTES or item.digest in seen:
            parts.append([])
            size, seen = 0, set()
        parts[-1].append(item)
        size += len(item.body)
        seen.add(item.digest)
    return [part for part in parts if part]
