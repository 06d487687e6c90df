"""Views: what may be looked at, by what, and the marks of places in them. No I/O; the SQL is in `plans`."""

import base64
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.errors import InvalidMessage
from shared.vocabulary import Show as Show, View as View


class Sort(StrEnum):
    """A column to sort by."""

    TYPE = "type"
    NAME = "name"
    ADDRESS = "address"
    COMPANY = "company"
    CODE = "code"
    REASON = "reason"
    SENT = "sent_at"
    RETURNED = "returned_at"
    MAILING = "mailing"
    COUNT = "return_count"
    CAUSE = "cause"
    SINCE = "blocked_since"


class Group(StrEnum):
    """What rows are grouped by."""

    REASON = "reason"
    DOMAIN = "domain"
    COMPANY = "company"
    MAILING = "mailing"
    DAY = "day"
    CAUSE = "cause"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; a value of none narrows nothing."""

    view: View
    tenant: str
    mailing: str | None = None
    show: frozenset[Show] = frozenset()
    blocked: bool | None = None
    contact: bool | None = None
    reason: str | None = None
    domain: str | None = None
    company: str | None = None
    day: str | None = None
    cause: str | None = None
    type: str | None = None
    search: str | None = None
    """The beginning of an address."""
    words: str | None = None
    """A tsquery over names and companies."""


def marked(empty: bool, mark: list[str]) -> str:
    """Return the mark of a place in a view, as a caller hands it back."""
    return base64.urlsafe_b64encode(json.dumps([empty, *mark]).encode()).decode()


def phase_of(mark: str) -> bool:
    """Tell whether a mark is of the rows without a value. Raises `InvalidMessage` for what is no mark."""
    return bool(_read(mark)[0])


def unmarked(mark: str, width: int) -> list[str]:
    values = _read(mark)[1:]
    if len(values) != width or not all(isinstance(one, str) and "\x00" not in one for one in values):
        raise InvalidMessage("after: not a mark of this view in this order")
    return values


def _read(mark: str) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(mark.encode()))
    except ValueError:
        raise InvalidMessage("after: no mark; give `next` of the page before") from None
    if not isinstance(values, list) or not values:
        raise InvalidMessage("after: no mark; give `next` of the page before")
    return values
