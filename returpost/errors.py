"""The errors of Returpost, under one base: whoever catches `ReturpostError` catches what is ours and nothing else."""

from collections.abc import Mapping
from typing import Any


def words(fault: Mapping[str, Any]) -> str:
    """Return what pydantic says is wrong: of an error of ours our own words alone."""
    if fault.get("type") == "extra_forbidden":
        return "there is no such field"
    if fault.get("type") == "timezone_aware":
        return "a time needs its zone, as 2026-11-24T08:00:00Z"
    for pattern, meaning in _PATTERNS.items():
        if pattern in str(fault["msg"]):
            return meaning
    return str(fault["msg"]).removeprefix("Value error, ")


_PATTERNS = {
    "'^[a-z0-9][a-z0-9-]{0,62}$'": "1 to 63 small letters, digits and hyphens, a hyphen not first",
    r"'^[^\x00-\x1f\x7f]{1,200}$'": "1 to 200 characters, none of them a control character",
    r"'^[245]\.\d{1,3}\.\d{1,3}$'": "an enhanced status, as 5.1.1",
}
"""What the patterns of the contracts mean: people read the one, not the other."""


class ReturpostError(Exception):
    """Something that Returpost can explain to its user; the message says what was wrong, where and what to do."""


class InvalidAddress(ReturpostError, ValueError):
    """The text is not an e-mail address."""


class InvalidMessage(ReturpostError, ValueError):
    """A message, or one event in it, breaks its contract; it goes to the dead letters with its bytes."""


class InvalidSettings(ReturpostError, ValueError):
    """A setting is missing or wrong; nothing was started."""


class Unavailable(ReturpostError):
    """The infrastructure is away; what was asked is safe to ask again."""
