"""Views: their columns, groups and filters. No I/O; the SQL is in `view_queries`."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

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


class Group(StrEnum):
    """A column to group by."""

    REASON = "reason"
    DOMAIN = "domain"
    COMPANY = "company"
    MAILING = "mailing"
    DAY = "day"
    CAUSE = "cause"
    TYPE = "type"


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
    search: str | None = None
    """The beginning of an address."""
    words: str | None = None
    """A tsquery over names and companies."""


def view_query(by: Filter, tenant: str) -> ViewQuery:
    """Return the query of a filter, as the routes of views and bulk operations take it."""
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
        search=by.q.strip().lower() or None,
        words=search_query(tenant, by.q),
    )
