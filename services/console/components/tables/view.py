"""What a table shows, and how that is written in the page's address, so that a link shows the same."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

MAX_SEARCH = 200


@dataclass(frozen=True, slots=True)
class View:
    """One view of a table."""

    sort: str = ""
    descending: bool = False
    group: str = ""
    search: str = ""
    filters: tuple[tuple[str, str], ...] = ()
    """(name, value); a name may come several times: any of its values."""
    hidden: frozenset[str] = frozenset()
    after: str = ""
    """Mark of the page, as the service gave it; nothing: the first."""
    opened: str = ""
    """Id of the row in the side panel."""
    followed: str = ""
    """Id of the operation whose progress is shown over the page."""

    def chosen(self, name: str) -> list[str]:
        """Return the values of a filter."""
        return [value for key, value in self.filters if key == name]

    def toggled(self, name: str, value: str) -> "View":
        """Return the view with one value of a filter put in or taken out; from the first page."""
        pair = (name, value)
        kept = tuple(held for held in self.filters if held != pair)
        return self.changed(filters=kept if pair in self.filters else (*kept, pair))

    def only(self, name: str, value: str | None) -> "View":
        """Return the view with exactly this value of a filter, or none."""
        kept = tuple(held for held in self.filters if held[0] != name)
        return self.changed(filters=kept if value is None else (*kept, (name, value)))

    def changed(self, **values: Any) -> "View":
        """Return another view, from its first page and with nothing open."""
        return replace(self, **({"after": "", "opened": "", "followed": ""} | values))


def from_query(query: Mapping[str, str], *, sort: str, descending: bool, hidden: frozenset[str]) -> View:
    """Read a view from the page's address; what is not said is as usual."""
    order = query.get("sort", "")
    return View(
        sort=order.removeprefix("-") or sort,
        descending=order.startswith("-") if order else descending,
        group=query.get("group", ""),
        search=query.get("q", "")[:MAX_SEARCH],
        filters=tuple(
            (name.removeprefix("f."), unquote(value))
            for name, values in query.items()
            if name.startswith("f.")
            for value in values.split(",")
            if value
        ),
        hidden=frozenset(filter(None, query["hide"].split(","))) if "hide" in query else hidden,
        after=query.get("after", ""),
        opened=query.get("open", ""),
        followed=query.get("operation", ""),
    )


def to_query(view: View, *, sort: str, descending: bool, hidden: frozenset[str], also: Mapping[str, str]) -> str:
    """Write a view as a query; what is as usual is left out."""
    given = dict(also)
    if (view.sort, view.descending) != (sort, descending):
        given["sort"] = f"{'-' if view.descending else ''}{view.sort}"
    for name in dict.fromkeys(name for name, _ in view.filters):
        given[f"f.{name}"] = ",".join(quote(value, safe=" ") for value in view.chosen(name))
    if view.hidden != hidden:
        given["hide"] = ",".join(sorted(view.hidden))
    others = {
        "group": view.group,
        "q": view.search,
        "after": view.after,
        "open": view.opened,
        "operation": view.followed,
    }
    given |= {name: value for name, value in others.items() if value}
    return urlencode(given, safe=",@")
