"""Erasure: which dead letters hold an address, in whatever form it is written, and what is left of one without it."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import orjson
import re2

from returpost.linear_patterns import finder
from shared.database.compressed_search import unpacked
from shared.database.residual_search import forms

Holds = Callable[[bytes], bool]
"""Says whether bytes hold one of the erased addresses."""

AT_ONCE: Final = 500
"""Patterns in one automaton: RE2 gives each a share of a bounded memory."""
_SHORTEST_PACKED: Final = 32
_GONE: Final = object()
_BEFORE: Final = {
    # After `.`, `-`, `_` or `+` an address would be another's; in a return path they stand before every one.
    "@": r"(?:^|[^\w.+-]|\\[nrtbf]|\\u[0-9a-f]{4}|[%=][0-9a-f]{2})",
    "=": r"(?:^|[^a-z0-9]|\\[nrtbf])",
}
_AFTER: Final = r"(?:\.?$|[^\w.-]|\.[^a-z0-9])"


def holds_any(addresses: Iterable[str]) -> Holds:
    """Return what finds these addresses: as they are, in a return path, a URL, JSON, CSV, HTML, packed by zlib or gzip.

    One pass over the bytes for some 50 addresses.
    """
    patterns = list(dict.fromkeys(_pattern(form) for address in addresses for form in forms(address)))
    automata = [finder(patterns[start : start + AT_ONCE]) for start in range(0, len(patterns), AT_ONCE)]

    def holds(data: bytes) -> bool:
        text = b"".join(unpacked(data)).decode("utf-8", "replace").lower().encode()
        return any(find(text) for find in automata)

    return holds


def _pattern(form: str) -> str:
    before = _BEFORE["=" if "=" in form and "@" not in form else "@"]
    return f"{before}{re2.escape(form)}{_AFTER}"


def without(body: bytes, holds: Holds) -> bytes | None:
    """Return the bytes of a message without what names an erased address; nothing when nothing else is left.

    Of a batch the other events stay as they are, and of a command over many addresses the others. Bytes that are no
    JSON go as a whole.
    """
    try:
        value = orjson.loads(body)
    except ValueError:
        return None if holds(body) else body
    left = _without(value, holds)
    if left is _GONE:
        return None
    return body if left == value else orjson.dumps(left)


def _without(value: Any, holds: Holds) -> Any:
    if isinstance(value, str):
        return _GONE if _text_holds(value, holds) else value
    if isinstance(value, list):
        left = [one for one in (_without(one, holds) for one in value) if one is not _GONE]
        return left if left or not value else _GONE
    if isinstance(value, dict):
        fields = {name: _without(one, holds) for name, one in value.items()}
        return _GONE if _GONE in fields.values() or any(_text_holds(name, holds) for name in value) else fields
    return value


def _text_holds(text: str, holds: Holds) -> bool:
    data = text.encode("utf-8", "surrogatepass")
    return holds(data) or any(holds(one) for one in _from_base64(data))


def _from_base64(data: bytes) -> Sequence[bytes]:
    """Return what base64 stands for: raw messages and what providers send travel in it."""
    if len(data) < _SHORTEST_PACKED:
        return ()
    try:
        return (base64.b64decode(data, validate=True),)
    except binascii.Error:
        return ()
