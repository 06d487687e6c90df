"""The pages of the views that are asked for by the benchmark of actions: each sort both ways, each filter, combined."""

from collections.abc import Iterator
from typing import Any

from services.actions.views.domain import Group, Show, Sort

Asked = tuple[str, dict[str, Any]]
"""The path after `/v1/views/`, and its query."""

NARROWED: tuple[dict[str, Any], ...] = (
    {"contact": True},
    {"contact": False},
    {"blocked": True},
    {"blocked": False, "show": "returned"},
    {"reason": "mailbox_full"},
    {"show": "returned", "reason": "user_unknown", "domain": "mail7.example.com"},
    {"domain": "mail7.example.com"},
    {"company": "Company 77"},
    {"q": "user123"},
    {"q": "name77"},
    {"q": "nobody-is-called-so"},
    {"show": ["returned", "complained"], "contact": True},
    {"show": ["sent", "opened"]},
    {"show": "opened", "q": "user5"},
)
"""Filters that are combined with views; rare and frequent ones, and one that matches nothing."""


def pages(mailing: str) -> Iterator[Asked]:
    """Yield the first pages that are measured."""
    places: tuple[Asked, ...] = (
        ("recipients", {"mailing": mailing}),
        ("returned", {"mailing": mailing}),
        ("returned", {}),
        ("blocked", {"mailing": mailing}),
        ("blocked", {}),
        ("complaints", {}),
    )
    for view, query in places:
        for sort in Sort:
            for descending in (False, True):
                yield view, query | {"sort": sort.value, "descending": descending}
    for show in Show:
        for sort in (Sort.ADDRESS, Sort.SENT, Sort.RETURNED, Sort.NAME):
            yield "recipients", {"mailing": mailing, "show": show.value, "sort": sort.value}
    for narrowed in NARROWED:
        yield "recipients", {"mailing": mailing, **narrowed}
        yield "recipients", {"mailing": mailing, "sort": "sent_at", "descending": True, **narrowed}
        if "show" not in narrowed:  # that is of the recipients of one mailing
            yield "blocked", {"sort": "blocked_since", "descending": True, **narrowed}


def sums(mailing: str) -> Iterator[Asked]:
    """Yield the counts and groups that are measured."""
    for view, query in (("recipients", {"mailing": mailing}), ("returned", {}), ("blocked", {}), ("complaints", {})):
        yield f"{view}/count", query
        for group in Group:
            yield f"{view}/groups", query | {"by": group.value}
    for narrowed in NARROWED:
        yield "recipients/count", {"mailing": mailing, **narrowed}
