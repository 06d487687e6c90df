"""A queue in a file: what was drained from it, a message a line in its order, each signed together with all before it.

So a file is loaded only as it was written: nothing changed, added, left out or moved. Who may drain may not forge.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from returpost.errors import InvalidMessage

CHECK = "check"
TOTAL = "messages"
"""In the last line alone: how many there are."""
_PURPOSE = b"returpost queue file"


def signed(line: Mapping[str, Any], key: str, after: str) -> dict[str, Any]:
    """Return a line with its check, which depends on the check `after` which it stands; the first stands after none."""
    return {**line, CHECK: _check(line, key, after)}


def verified(lines: Sequence[Mapping[str, Any]], keys: Sequence[str], after: str) -> Iterator[Mapping[str, Any]]:
    """Yield the messages of lines that stand after a check. Raises `InvalidMessage` at one that is not as it was
    written, and at whatever stands behind the last."""
    ended = False
    for place, line in enumerate(lines, 1):
        check = line.get(CHECK)
        bare = {name: value for name, value in line.items() if name != CHECK}
        if ended or not any(_equal(_check(bare, key, after), str(check)) for key in keys):
            raise InvalidMessage(f"lines: line {place} of these is not as it was drained, or not in its place")
        after = str(check)
        ended = TOTAL in line
        if not ended:
            yield bare


def _check(line: Mapping[str, Any], key: str, after: str) -> str:
    purpose = hmac.new(key.encode(), _PURPOSE, hashlib.sha256).digest()
    # ASCII: half of a surrogate pair, which JSON may name, has no UTF-8.
    text = json.dumps([after, line], sort_keys=True)
    return hmac.new(purpose, text.encode(), hashlib.sha256).hexdigest()


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("ascii", "backslashreplace"))
