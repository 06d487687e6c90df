"""From the body of a request to what is found in it. One bad event stops no other. No I/O."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from returpost.bounces.providers.authentication import SHARED_SECRET, Authentication
from returpost.bounces.providers.normalized_result import (
    Event,
    Ignored,
    InvalidRecipient,
    Item,
    NormalizedResult,
    UnknownKind,
)
from returpost.contracts.cloudevents import read_each, split
from returpost.errors import InvalidMessage

Read = Callable[[Event], Iterable[Item]]
Split = Callable[[bytes], Iterable[bytes]]
Check = Callable[[NormalizedResult], None]

MAX_EVENTS = 10_000
"""Events in one body; providers send up to some thousand."""
MAX_VALUES = 500_000
"""Values in one body: each takes about 100 bytes of memory."""

_NOT_AS_DOCUMENTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What readers raise for a field of another type than the documentation says."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event that nothing could be made of: its bytes, and what was wrong. `outcome` is `unknown` or `broken`."""

    body: bytes
    error: str
    outcome: str


def elements(body: bytes) -> Iterable[bytes]:
    """Return the exact bytes of each element of a JSON list, or of the one object. Raises `InvalidMessage`."""
    start = body.lstrip()[:1]
    return split(body) if start == b"[" else [body]


def lines(body: bytes) -> Iterable[bytes]:
    """Return the lines of JSON lines, else the same as `elements`."""
    rows = [row for row in body.splitlines() if row.strip()]
    if len(rows) > 1 and all(row.lstrip()[:1] == b"{" and row.rstrip()[-1:] == b"}" for row in rows):
        return rows
    return elements(body)


@dataclass(frozen=True, slots=True)
class Provider:
    """All that there is to know of a provider. Its module makes one of these, and is found by lying in this package."""

    title: str
    documentation: str
    """The page that names its kinds of events."""
    kinds: Collection[str]
    """Kinds of events that are read or known to say nothing of a delivery."""
    read: Read
    """Yields what one event says."""
    split: Split = elements
    """Cuts the body of a request into events. Raises `InvalidMessage`."""
    authentication: Authentication = SHARED_SECRET
    secrets: str = "Shared secrets."
    """What its setting holds."""
    final_status: int = 403
    """The status that ends its retries, when they cannot help."""
    handshake: Callable[[bytes], dict[str, Any] | None] | None = None
    """Returns what to answer when a request only asks whether somebody is here."""
    asks_by_options: bool = False
    """Asks by OPTIONS before it sends CloudEvents.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
    """
    name: str = ""
    """That of its module, as in the address of its webhook."""


def read_payload(
    provider: Provider, body: bytes, check: Check = lambda result: None
) -> Iterator[NormalizedResult | Ignored | Unreadable]:
    """Yield what is found in each event of the body. `check` raises `InvalidMessage` for a result that is wrong."""
    try:
        parts = _parts(provider, body)
    except InvalidMessage as error:
        yield Unreadable(body, str(error), "broken")
        return
    except _NOT_AS_DOCUMENTED as error:
        yield Unreadable(
            body, f"{provider.name}: the body is not as it is documented ({type(error).__name__})", "broken"
        )
        return
    for part, value in parts:
        try:
            yield from _items(provider, part, value if value is not None else _object(part), check)
        except UnknownKind as error:
            yield Unreadable(part, f"{provider.name}: {error}", "unknown")
        except InvalidMessage as error:
            yield Unreadable(part, f"{provider.name}: {error}", "broken")
        except _NOT_AS_DOCUMENTED as error:
            yield Unreadable(
                part,
                f"{provider.name}: a field is not of the type that is documented ({type(error).__name__})",
                "broken",
            )


def _parts(provider: Provider, body: bytes) -> list[tuple[bytes, Event | None]]:
    """Return the bytes of each event, with what it says if that was read along with them.

    Raises `InvalidMessage` for too many: what each becomes takes some thousand bytes.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise InvalidMessage(f"body: more than {MAX_VALUES} values")
    if provider.split is elements and body.isascii() and body.lstrip()[:1] == b"[":
        try:
            read = islice(read_each(body), MAX_EVENTS + 1)
            return _few([(part, value if isinstance(value, dict) else None) for part, value in read])
        except InvalidMessage:
            pass  # one of them is no JSON: the others are
    return _few([(part, None) for part in islice(provider.split(body), MAX_EVENTS + 1)])


def _few(parts: list[tuple[bytes, Event | None]]) -> list[tuple[bytes, Event | None]]:
    if len(parts) > MAX_EVENTS:
        raise InvalidMessage(f"body: more than {MAX_EVENTS} events")
    return parts


def _items(
    provider: Provider, part: bytes, event: Event, check: Check
) -> Iterator[NormalizedResult | Ignored | Unreadable]:
    for item in provider.read(event):
        if isinstance(item, Ignored):
            yield item
            continue
        try:
            if isinstance(item, InvalidRecipient):
                raise InvalidMessage(item.error)
            check(item)
            item.provider, item.original = provider.name, part
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
