"""Derived ids: a repeated input makes the same ids, so that a repeat is recognised anywhere (RFC 9562 section 5.5)."""

from datetime import datetime
from hashlib import sha1
from uuid import UUID, uuid5

_ROOT = uuid5(UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8"), "https://returpost.example/ids")
NAMESPACE = _ROOT.bytes
"""Root of all ids that do not follow from another event."""
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The two upper bits of the digit become 10 (RFC 9562 section 4.1)."""


def of_input(tenant: str, source: str, id_: str) -> str:
    """Id of an input that its source has numbered: the same source and number are the same input."""
    return _uuid5(NAMESPACE, "\x1f".join(("input", tenant, source, id_)))


def of_content(*parts: str | int | datetime | None) -> str:
    """Id of an input without a number of its own, from all that it says."""
    texts = [part if isinstance(part, str) else "" if part is None else str(part) for part in parts]
    return _uuid5(NAMESPACE, "\x1f".join(["content", *texts]))


def of_bytes(tenant: str, body: bytes) -> str:
    """Id of a raw mail: the same bytes for the same tenant are the same mail."""
    return _uuid5(NAMESPACE, f"bytes\x1f{tenant}\x1f{sha1(body, usedforsecurity=False).hexdigest()}")


def derived(cause: str, type_: str, n: int = 0) -> str:
    """Id of the `n`th event of `type_` that follows from the event with the id `cause`."""
    return _uuid5(_namespace(cause), f"{type_}\x1f{n}")


def _namespace(cause: str) -> bytes:
    try:
        found = bytes.fromhex(cause.replace("-", ""))
    except ValueError:
        found = b""
    return found if len(found) == 16 else uuid5(_ROOT, cause).bytes


def _uuid5(namespace: bytes, name: str) -> str:
    """Return what `str(uuid.uuid5(...))` does, in a third of the time: every event needs one or two."""
    hex_ = sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    return f"{hex_[:8]}-{hex_[8:12]}-5{hex_[13:16]}-{_VARIANT[hex_[16]]}{hex_[17:20]}-{hex_[20:32]}"
