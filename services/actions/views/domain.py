"""Views: their columns, groups and filters. No I/O; the SQL is in `view_queries`."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Self

from returpost.contracts import Filter
from returpost.contracts.enums import Show as Show, View as View
from services.actions.contacts.collation import order_key, search_query


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
    STATUS = "status"
    COMPLAINED = "complained_at"


class Group(StrEnum):
    """A column to group by."""

    REASON = "reason"
    DOMAIN = "domain"
    COMPANY = "company"
    MAILING = "mailing"
    DAY = "day"
    CAUSE = "cause"
    TYPE = "type"
    STATUS = "status"
    NAME = "name"
    COUNT = "return_count"


@dataclass(frozen=True, slots=True)
class AddressSearch:
    """What a search asks of addresses: `ann` begins one, `@example.com` begins the domain, `*berg` is any part."""

    begins: str | None = None
    inside: str | None = None
    has_words: bool = True
    """Whether it finds names and companies too."""

    @classmethod
    def of(cls, q: str) -> Self:
        """Return what was typed as a search."""
        text = q.strip().lower()
        if text.startswith("*"):
            return cls(inside=text.strip("*").strip() or None, has_words=False)
        return cls(begins=text or None, has_words=not text.startswith("@"))


@dataclass(frozen=True, slots=True)
class ViewQuery:
    """The rows of a view that match a filter; a value of none filters nothing."""

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
    """First day of the return, the complaint or the block, in UTC."""
    last: date | None = None
    """Last day."""
    cause: str | None = None
    type: str | None = None
    status: str | None = None
    name: str | None = None
    return_count: int | None = None
    search: str | None = None
    """The beginning of an address, or of a domain with its @."""
    inside: str | None = None
    """A part of an address."""
    words: str | None = None
    """A tsquery over names and companies."""


def view_query(by: Filter, tenant: str) -> ViewQuery:
    """Return the query of a filter, as the routes of views and bulk operations take it."""
    asked = AddressSearch.of(by.q)
    return ViewQuery(
        view=by.view,
        tenant=tenant,
        mailing=by.mailing,
        show=frozenset(by.show),
        blocked=by.blocked,
        contact=by.contact,
        reason=by.reason and by.reason.value,
        domain=by.domain and by.domain.lower(),
        company=order_key(by.company),
        first=max(filter(None, (by.day, by.first)), default=None),
        last=min(filter(None, (by.day, by.last)), default=None),
        cause=by.cause and by.cause.value,
        type=by.type,
        status=by.status,
        name=order_key(by.name),
        return_count=by.return_count,
        search=asked.begins,
        inside=asked.inside,
        words=search_query(tenant, by.q) if asked.has_words else None,
    )
