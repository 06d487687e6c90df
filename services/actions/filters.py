"""A view's filter, by the query of a view or in what an operation is over, as what it means to a tenant."""

from returpost.contracts import Filter
from services.actions import text
from services.actions.views import Wanted


def wanted(told: Filter, tenant: str) -> Wanted:
    """Return what a filter means to a tenant."""
    return Wanted(
        told.view,
        tenant,
        told.mailing,
        frozenset(told.show),
        told.blocked,
        told.contact,
        told.reason and told.reason.value,
        told.domain and told.domain.lower(),
        text.order_key(told.company),
        max(filter(None, (told.day, told.first)), default=None),
        min(filter(None, (told.day, told.last)), default=None),
        told.cause and told.cause.value,
        told.type,
        told.q.strip().lower() or None,
        text.query(tenant, told.q),
    )
