"""Plain addresses, as nearly all are, recognised many at a time by one pass over their bytes."""

import re2

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
_PLAIN = re2.compile(rf"(?:[A-Za-z0-9._+-]{{1,64}}@(?:{_LABEL}\.){{1,4}}{_LABEL}\n)*")
"""Lines whose key is the line in small letters: a part of what `normalise` leaves as it is."""


def keys(lines: bytes) -> list[str] | None:
    """Return the keys of lines that each end with a line feed, or nothing when not all are plain addresses."""
    if _PLAIN.fullmatch(lines):
        return lines.decode("ascii").lower().split("\n")[:-1]
    return None
