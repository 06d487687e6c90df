"""Erasures in messages that are kept: whatever names an erased address, and happened before, goes out of them."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from typing import Any

from returpost.contracts import AddressErased
from returpost.contracts.addresses import key
from returpost.errors import InvalidAddress
from services.replay.domain.archive_selection import tenant_of, time_of
from services.replay.domain.segment import Stored, events_of

Erasures = Mapping[tuple[str, str], datetime]
"""By tenant and address (its key), until when what happened is erased."""
Forms = Callable[[str], Sequence[str]]
"""How an address may be written, in small letters."""

_ADDRESS = re.compile(r"([\w.!#$%&'*+^`~-]+)(@|=|%40)([\w-]+(?:\.[\w-]+)+)")
"""What looks like an address in small letters, as it is usually written, or in a return path or a URL."""


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


class _Erased:
    """The erased addresses of a tenant: however many, a text is read once."""

    def __init__(self) -> None:
        self._usual: dict[str, datetime] = {}
        self._odd: list[tuple[re.Pattern[str], datetime]] = []

    def add(self, address: str, until: datetime, forms: Forms) -> None:
        """Take one of them."""
        try:
            written = forms(address)
        except InvalidAddress:
            written = [address]
        for form in written:
            if (found := _ADDRESS.fullmatch(form)) and found[2] == "@":
                self._usual[form] = until
        if not any(form in self._usual for form in written):
            whole = "|".join(map(re.escape, written))
            self._odd.append((re.compile(rf"(?<![\w.])(?:{whole})(?![\w-])"), until))

    @property
    def is_nothing(self) -> bool:
        """Whether there is none."""
        return not (self._usual or self._odd)

    def until(self, texts: Iterable[str]) -> datetime:
        """Return until when what has these texts is erased, by the addresses in them."""
        until = _NEVER
        for text in texts:
            small = _plain(text.lower())
            for found in _ADDRESS.finditer(small):
                for address in _read(found):
                    until = max(until, self._usual.get(address, _NEVER))
            for pattern, one in self._odd:
                if one > until and pattern.search(small):
                    until = one
        return until


def _plain(text: str) -> str:
    """Return a text without what JSON and HTML write for characters."""
    if "\\u" in text:
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return unescape(text) if "&" in text else text


_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_NEVER = datetime.min.replace(tzinfo=UTC)


def _read(found: re.Match[str]) -> Iterator[str]:
    """Yield the addresses that a text may mean; in a return path a name and a sign may stand before one."""
    local, sign, domain = found.groups()
    yield f"{local}@{domain}"
    if sign != "@":
        for place, character in enumerate(local):
            if character in "-+":
                yield f"{local[place + 1 :]}@{domain}"


def without(messages: Sequence[Stored], erasures: Erasures, forms: Forms) -> list[Stored]:
    """Return the messages without the events that an erasure takes; each place keeps its number, and stands empty."""
    erased: dict[str, _Erased] = defaultdict(_Erased)
    for (tenant, address), until in erasures.items():
        erased[tenant].add(address, until, forms)
    nothing = _Erased()
    return [_without(message, erased.get(tenant_of(message.routing_key) or "", nothing)) for message in messages]


def _without(message: Stored, erased: _Erased) -> Stored:
    if erased.is_nothing:
        return message
    whole = message.body.decode("utf-8", "replace")
    events = events_of(message.body)
    if not events:
        return replace(message, body=b"") if erased.until([whole]) > _NEVER else message
    kept = [_kept(event, erased) for event in events]
    if kept == events:
        return message
    return replace(message, body=json.dumps(kept if whole.lstrip()[:1] == "[" else kept[0]).encode())


def _kept(event: dict[str, Any], erased: _Erased) -> dict[str, Any]:
    """Return the event, or nothing of it; one that lists several addresses is only without those."""
    moment = _NEVER if event.get("type") == AddressErased.TYPE else time_of(event) or _NEVER

    def is_gone(texts: Iterable[str]) -> bool:
        return (until := erased.until(texts)) > _NEVER and until >= moment

    data = event.get("data")
    listed = data.get("addresses") if isinstance(data, dict) else None
    if isinstance(data, dict) and isinstance(listed, list):
        others = [one for one in listed if not (isinstance(one, str) and is_gone([one]))]
        event = {**event, "data": {**data, "addresses": others}} if others else event
    return {} if is_gone(_texts(event)) else event


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
