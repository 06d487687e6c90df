"""The outcome of a replayed message: after its commit the consumer reports it, so that nobody guesses from silence.

A replayed message carries the header `x-returpost-replay: <job>/<part>`. What of it fails becomes dead letters that
carry the same header; all that does not is processed: committed, whatever comes after.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from returpost.amqp.publisher import Message
from returpost.contracts.routing import REPLAY_OUTCOMES
from shared.messaging.dead_letters import REPLAY_PART

MAX_PARTS = 1_000
"""Parts a message: some 100 kB."""


def part_of(headers: Mapping[str, Any]) -> str | None:
    """Return the part of a replay that a message is, if it is one."""
    part = headers.get(REPLAY_PART)
    return part if isinstance(part, str) else None


def digest(body: bytes) -> str:
    """Return by what a replay recognises the bytes of an event that failed again: SHA-256 in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def outcomes(queue: str, headers: Iterable[Mapping[str, Any]], dead_letters: Sequence[Message]) -> list[Message]:
    """Return what to report of a batch that is committed: the parts in it, each with the digests of what failed."""
    parts = {part for one in headers if (part := part_of(one)) is not None}
    if not parts:
        return []
    failed: dict[str, list[str]] = defaultdict(list)
    for dead_letter in dead_letters:
        if (part := part_of(dead_letter.headers)) is not None:
            failed[part].append(digest(dead_letter.body))
    reported = sorted(parts)
    return [
        Message(
            REPLAY_OUTCOMES,
            "",
            orjson.dumps({"queue": queue, "parts": [{"part": part, "failed": failed.get(part, [])} for part in some]}),
            "application/json",
        )
        for start in range(0, len(reported), MAX_PARTS)
        for some in [reported[start : start + MAX_PARTS]]
    ]
