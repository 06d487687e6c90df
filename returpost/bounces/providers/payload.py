"""From the body of a request to what is found in it. One bad event stops no other. No I/O."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from returpost.bounces.providers.normalized_result import Broken, Event, Ignored, Item, NormalizedResult, UnknownKind
from returpost.contracts.cloudevents import read_each, split
from returpost.errors import InvalidMessage

Read = Callable[[Event], Iterable[Item]]
Cut = Callable[[bytes], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Unreadable:
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


def read(
    provider: Provider, body: bytes, check: Callable[[NormalizedResult], None] = lambda found: None
) -> Iterator[NormalizedResult | Ignored | Unreadable]:
    """Yield what is found in each event of the body, and what has to be kept for a person to look at.

    `check` raises `InvalidMessage` for a result that is not to be taken.
    """
    try:
        parts = _parts(provider, body)
    except InvalidMessage as error:
        yield Unreadable(body, str(error), "broken")
        return
    for part, value in parts:
        try:
            yield from _items(provider, part, value if value is not None else _object(part), check)
        except UnknownKind as error:
            yield Unreadable(part, f"{provider.name}: {error}", "unknown")
        except InvalidMessage as error:
            yield Unreadable(part, f"{provider.name}: {error}", "broken")
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            yield Unreadable(
                part,
                f"{provider.name}: a field is not of the type that is documented ({type(error).__name__})",
                "broken",
            )


def _parts(provider: Provider, body: bytes) -> list[tuple[bytes, Event | None]]:
    """Return the bytes of each event, with what it says if that was read along with them."""
    if provider.cut is elements and body.isascii() and body.lstrip()[:1] == b"[":
        try:
            return [(part, value if isinstance(value, dict) else None) for part, value in read_each(body)]
        except InvalidMessage:
            pass  # one of them is no JSON: the others are
    return [(part, None) for part in provider.cut(body)]


def _items(
    provider: Provider, part: bytes, event: Event, check: Callable[[NormalizedResult], None]
) -> Iterator[NormalizedResult | Ignored | Unreadable]:
    for item in provider.read(event):
        if isinstance(item, Ignored):
            yield item
            continue
        try:
            if isinstance(item, Broken):
                raise InvalidMessage(item.error)
            check(item)
            item.original = part
            yield item
        except InvalidMessage as error:
            yield Unreadable(part, f"{provider.name}: {error}", "broken")


def _object(part: bytes) -> dict[str, Any]:
    try:
        value = json.loads(part)
    except (ValueError, RecursionError):
        raise InvalidMessage("event: not JSON") from None
    if not isinstance(value, dict):
        raise InvalidMessage("event: not an object")
    return value
