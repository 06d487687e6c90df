"""Views: what may be looked at, and by what. No I/O; the SQL is in `plans`."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from returpost.contracts.enums import Show as Show, View as View


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
    first: date | None = None
    """Day of the return, the complaint or the block, in UTC; and later ones."""
    last: date | None = None
    """And earlier ones."""
    cause: str | None = None
    type: str | None = None
    search: str | None = None
    """The beginning of an address."""
    words: str | None = None
    """A tsquery over names and companies."""
