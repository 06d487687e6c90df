"""From the body of a request to what is found in it. One bad event stops no other. No I/O."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.ingest.webhooks.found import Event, Found, Ignored, Item, UnknownKind
from shared.cloudevents import explain, split
from shared.errors import InvalidMessage

Read = Callable[[Event], Iterable[Item]]
Cut = Callable[[bytes], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that goes to the dead letters: its bytes, and what was wrong. `outcome` is `unknown` or `broken`."""

    body: bytes
    error: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider's requests are cut into events, and how one event is read."""

    name: str
    read: Read
    cut: Cut


def elements(body: bytes) -> Iterable[bytes]:
    """Return the exact bytes of each element of a JSON list, or of the one object. Raises `InvalidMessage`."""
    start = body.lstrip()[:1]
    return list(split(body)) if start == b"[" else [body]


def lines(body: bytes) -> Iterable[bytes]:
    """Return the lines of JSON lines, else the same as `elements`."""
    rows = [row for row in body.splitlines() if row.strip()]
    if len(rows) > 1 and all(row.lstrip()[:1] == b"{" and row.rstrip()[-1:] == b"}" for row in rows):
        return rows
    return elements(body)


def read(provider: Provider, body: bytes) -> Iterator[Found | Ignored | Kept]:
    """Yield what is found in each event of the body, and what has to be kept for a person to look at."""
    try:
        parts = list(provider.cut(body))
    except InvalidMessage as error:
        yield Kept(body, str(error), "broken")
        return
    for part in parts:
        try:
            yield from list(provider.read(_object(part)))
        except UnknownKind as error:
            yield Kept(part, f"{provider.name}: {error}", "unknown")
        except (ValidationError, InvalidMessage) as error:
            yield Kept(part, f"{provider.name}: {explain(error)}", "broken")


def _object(part: bytes) -> dict[str, Any]:
    try:
        value = json.loads(part)
    except (ValueError, RecursionError):
        raise InvalidMessage("event: not JSON") from None
    if not isinstance(value, dict):
        raise InvalidMessage("event: not an object")
    return value
