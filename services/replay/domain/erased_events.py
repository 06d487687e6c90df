"""Erasures in messages that are kept: whatever names an erased address, and happened before, goes out of them."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from returpost.contracts import AddressErased
from returpost.contracts.addresses import key
from services.replay.domain.archive_selection import tenant_of, time_of
from services.replay.domain.segment import Stored, events_of

Erasures = Mapping[tuple[str, str], datetime]
"""By tenant and address (its key), until when what happened is erased."""
Forms = Callable[[str], Sequence[str]]
"""How an address may be written, in small letters."""

_BEFORE = r"(?<![\w.!#$%'*+^`~-])"
"""What stands before an address is no character of another one."""
_BEFORE_PATH = r"(?<![\w.])"
"""In a return path, where the @ is written otherwise, a name and a sign stand before it."""


def erasures_in(messages: Iterable[Stored]) -> dict[tuple[str, str], datetime]:
    """Return the erasures that messages tell of."""
    found: dict[tuple[str, str], datetime] = {}
    for message in messages:
        for event in events_of(message.body) if message.routing_key.startswith("address.erased.") else ():
            data, tenant = event.get("data"), event.get("tenant")
            if event.get("type") != AddressErased.TYPE or not isinstance(data, dict):
                continue
            address, until = data.get("address"), time_of({"time": data.get("time")})
            if tenant != tenant_of(message.routing_key) or not isinstance(address, str) or until is None:
                continue
            of = (str(tenant), key(address))
            found[of] = max(until, found.get(of, until))
    return found


def without(messages: Sequence[Stored], erasures: Erasures, forms: Forms) -> list[Stored]:
    """Return the messages without the events that an erasure takes; each place keeps its number, and stands empty."""
    tests = [(tenant, until, _pattern(forms(address))) for (tenant, address), until in erasures.items()]
    return [_without(message, tests) for message in messages]


def _pattern(forms: Sequence[str]) -> re.Pattern[str]:
    """Match the whole address, and no other that ends or begins with it."""
    whole = "|".join(f"{_BEFORE if '@' in form else _BEFORE_PATH}{re.escape(form)}" for form in forms)
    return re.compile(rf"(?:{whole})(?!\.?[\w-])", re.IGNORECASE)


def _without(message: Stored, tests: Sequence[tuple[str, datetime, re.Pattern[str]]]) -> Stored:
    tenant = tenant_of(message.routing_key)
    mine = [(until, pattern) for of, until, pattern in tests if of == tenant]
    if not mine:
        return message
    events = events_of(message.body)
    if not events:
        text = message.body.decode("utf-8", "replace")
        return replace(message, body=b"") if any(pattern.search(text) for _, pattern in mine) else message
    kept = [_kept(event, mine) for event in events]
    if kept == events:
        return message
    return replace(message, body=json.dumps(kept if message.body.lstrip()[:1] == b"[" else kept[0]).encode())


def _kept(event: dict[str, Any], mine: Sequence[tuple[datetime, re.Pattern[str]]]) -> dict[str, Any]:
    """Return the event, or nothing of it; one that lists several addresses is only without those."""
    moment = time_of(event)
    for until, pattern in mine:
        if moment is None or moment <= until or event.get("type") == AddressErased.TYPE:
            event = _unlisted(event, pattern)
            if any(pattern.search(text) for text in _texts(event)):
                return {}
    return event


def _unlisted(event: dict[str, Any], pattern: re.Pattern[str]) -> dict[str, Any]:
    data = event.get("data")
    listed = data.get("addresses") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(listed, list):
        return event
    others = [one for one in listed if not (isinstance(one, str) and pattern.fullmatch(one))]
    return {**event, "data": {**data, "addresses": others}} if others else event


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
