"""The errors of Returpost, under one base: whoever catches `ReturpostError` catches what is ours and nothing else."""

from collections.abc import Mapping
from typing import Any


def words(fault: Mapping[str, Any]) -> str:
    """Return what pydantic says is wrong: of an error of ours our own words alone."""
    if fault.get("type") == "extra_forbidden":
        return "there is no such field"
    return str(fault["msg"]).removeprefix("Value error, ")


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
