"""Addresses and texts as they stand in fields: normalised, bounded, on one line."""

import re
from functools import lru_cache

from returpost.contracts.addresses import normalise
from returpost.errors import InvalidAddress

MAX_DIAGNOSTIC = 2_000
"""Characters of a diagnostic."""

_CONTROLS = dict.fromkeys((*range(32), 127, *range(128, 160)), " ")
_XTEXT = re.compile(r"\+([0-9A-F]{2})|\\x\{([0-9A-Fa-f]{1,6})\}")


def clean(text: str, limit: int = MAX_DIAGNOSTIC) -> str:
    """Return the text on one line, without control characters, in at most `limit` characters."""
    cut = text[: limit * 2]
    if not cut.isprintable():
        cut = cut.translate(_CONTROLS).encode("utf-8", "replace").decode()
    return " ".join(cut.split())[:limit]


@lru_cache(maxsize=8192)
def address(text: str) -> str | None:
    """Return the normalised address in a field or in a piece of text, or None; its domain has a dot.

    Undone are address type (`rfc822;`, RFC 3464 section 2.3.1), angle brackets, comments, source routes, xtext
    (RFC 3461 section 4), the escapes of RFC 6533 section 3 and quotes around all of it.
    """
    found = stated_address(text)
    return found if found and "." in found.rpartition("@")[2] else None


@lru_cache(maxsize=8192)
def stated_address(text: str) -> str | None:
    """Return the same out of a field that must hold an address: the domain may be a host of the reporter's own net."""
    value = bare(text)
    if "\\x{" in value or ("@" not in value and "+40" in value):
        value = _XTEXT.sub(lambda found: _character(found[1] or found[2]), value)
    if "@" not in value or value[0] in "|/":
        return None
    try:
        return normalise(value)
    except InvalidAddress:
        return None


def bare(text: str) -> str:
    """Return what stands for an address in a field, whether it is one or not."""
    value = text.strip()[:600]
    type_, semicolon, rest = value.partition(";")
    if semicolon and len(type_) < 32 and type_.strip().replace("-", "").isalnum():
        value = rest
    if "<" in value:
        value = value[value.rindex("<") + 1 :].partition(">")[0]
    value = value.partition(" (")[0].strip().strip("'`,:").removeprefix("mailto:")
    if value.startswith("@") and ":" in value:
        value = value.partition(":")[2]
    if len(value) > 2 and value[0] == value[-1] == '"' and "@" in value:
        value = value[1:-1].replace("\\", "")
    return value


def _character(code: str) -> str:
    number = int(code, 16)
    return chr(number) if 32 < number < 0xD800 or 0xE000 <= number < 0x110000 else ""
