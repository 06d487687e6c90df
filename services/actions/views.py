"""Views: which rows, in which order, by which groups, as SQL out of closed lists, never out of what is asked for.

A page is found by key: rows that have a value of what is sorted by come first, in either direction, then those that
have none, by address. So each statement walks one index, and no row is skipped that has to be counted.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.errors import InvalidMessage

COUNTED = 10_000
"""Rows that are counted exactly; of more it is told that there are more."""
GROUPED = 100_000
"""Rows that groups are made of."""
GROUPS = 1_000
FEW = 5_000
"""What a search finds is looked up when it is so few, and met on the way through an index when it is more: of few, one
would read far before a page is full."""
LAST = "\U0010ffff"
"""After which nothing comes: what begins with a text is before the text with this."""


class View(StrEnum):
    """What is looked at."""

    RECIPIENTS = "recipients"
    RETURNED = "returned"
    COMPLAINTS = "complaints"
    BLOCKED = "blocked"


class Show(StrEnum):
    """What became of a recipient; of several any."""

    SENT = "sent"
    RETURNED = "returned"
    OPENED = "opened"
    COMPLAINED = "complained"
    READY = "ready"
    BLOCKED = "blocked"


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


@dataclass(slots=True)
class Statement:
    """SQL with its arguments."""

    sql: str = ""
    arguments: list[Any] = field(default_factory=list)

    def take(self, value: Any) -> str:
        """Return the placeholder of a value."""
        self.arguments.append(value)
        return f"${len(self.arguments)}"


_SHOWN = {
    Show.SENT: "r.status IN ('sent', 'delivered', 'unsubscribed')",
    Show.RETURNED: "(r.returned_at IS NOT NULL AND r.status IN ('hard_bounced', 'soft_bounced'))",
    Show.OPENED: "r.status = 'opened'",
    Show.COMPLAINED: "(r.complained_at IS NOT NULL AND r.status = 'complained')",
    Show.READY: "(r.status = 'ready' AND NOT coalesce(s.blocked, false))",
    Show.BLOCKED: "(r.status = 'ready' AND coalesce(s.blocked, false))",
}
_TYPES = {Sort.TYPE: "boolean", Sort.CODE: "smallint", Sort.SENT: "timestamptz", Sort.RETURNED: "timestamptz",
          Sort.COUNT: "integer", Sort.SINCE: "timestamptz"}  # fmt: skip
_DOMAIN = "split_part({address}, '@', -1)"
_COLUMNS = """{address} AS key, coalesce(r.written, {address}) AS address, {mailing} AS mailing, r.status,
    CASE WHEN r.hard THEN 'hard' WHEN NOT r.hard THEN 'soft' END AS type, o.contact, o.name, o.company,
    coalesce(o.former_employee, false) AS former_employee, r.reply_code AS code, r.enhanced_status, {reason} AS reason,
    r.sent_at, r.returned_at, r.opened_at, r.complained_at, coalesce(s.blocked, false) AS blocked,
    CASE WHEN s.blocked THEN s.cause END AS cause,
    CASE WHEN s.blocked THEN s.return_count END AS return_count, CASE WHEN s.blocked THEN s.since END AS blocked_since,
    r.diagnostic, r.rule"""


class Plan:
    """The SQL of what is asked for."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.few = False
        """Whether what the search finds is looked up first; `found` tells how many that are."""
        self._by_state = wanted.view is View.BLOCKED and wanted.mailing is None
        base = "s" if self._by_state else "r"
        self._names = {
            "address": f"{base}.address",
            "mailing": f"{base}.mailing",
            "reason": "s.reason" if wanted.view is View.BLOCKED else "r.reason",
        }
        self._time = {View.COMPLAINTS: "r.complained_at", View.BLOCKED: "s.since"}.get(wanted.view, "r.returned_at")
        self._groups = {
            Group.REASON: self._names["reason"],
            Group.DOMAIN: _DOMAIN.format(**self._names),
            Group.COMPANY: "o.company_key",
            Group.MAILING: self._names["mailing"],
            Group.DAY: f"({self._time} AT TIME ZONE 'UTC')::date",
            Group.CAUSE: "CASE WHEN s.blocked THEN s.cause END",
            Group.TYPE: "CASE WHEN r.hard THEN 'hard' WHEN NOT r.hard THEN 'soft' END",
        }
        self._sorts = {
            Sort.TYPE: "r.hard", Sort.NAME: "o.name_key", Sort.COMPANY: "o.company_key", Sort.CODE: "r.reply_code",
            Sort.REASON: self._names["reason"], Sort.SENT: "r.sent_at", Sort.RETURNED: "r.returned_at",
            Sort.COUNT: "s.return_count", Sort.SINCE: "s.since", Sort.CAUSE: "s.cause",
            Sort.MAILING: self._names["mailing"],
        }  # fmt: skip

    def page(self, sort: Sort, *, descending: bool, after: str | None, limit: int, empty: bool) -> Statement:
        """Return the statement for rows with a value to sort by, or (`empty`) for those without.

        `after` is a mark of the same phase. Raises `InvalidMessage` for a mark that is none.
        """
        statement = Statement()
        source = self._source(statement)
        keys = self._keys(sort)
        value = self._sorts.get(sort)
        if value is not None and len(self.phases(sort)) > 1:
            # Block states of who is not blocked are kept, but not shown.
            there = f"({value} IS NOT NULL AND s.blocked)" if value.startswith("s.") else f"{value} IS NOT NULL"
            if value in ("r.hard", "r.reply_code", "r.reason"):  # as the indexes say it
                there = f"({there} AND r.returned_at IS NOT NULL)"
            source += f" AND {there}" if not empty else f" AND {there} IS NOT TRUE"
            keys = keys if empty else [(value, _TYPES.get(sort, "text")), *keys]
        way = " DESC" if descending else ""
        if after is not None:
            marks = _unmarked(after, len(keys))
            places = ", ".join(
                f"{statement.take(mark)}::text::{type_}" for mark, (_, type_) in zip(marks, keys, strict=True)
            )
            source += f" AND ({', '.join(key for key, _ in keys)}) {'<' if descending else '>'} ({places})"
        shown = ", ".join(f"({key})::text" for key, _ in keys)
        order = ", ".join(f"{key}{way}" for key, _ in keys)
        columns = _COLUMNS.format(**self._names)
        statement.sql = (
            f"SELECT {columns}, ARRAY[{shown}] AS mark {source} ORDER BY {order} LIMIT {statement.take(limit)}"
        )
        return statement

    def phases(self, sort: Sort) -> tuple[bool, ...]:
        """Return the phases of a page: with a value, then empty; one alone where every row has a value."""
        there = sort is Sort.ADDRESS or (sort is Sort.MAILING and not self._by_state)
        return (False,) if there else (False, True)

    def count(self) -> Statement:
        """Return the statement that counts, up to one more than `COUNTED`."""
        statement = Statement()
        statement.sql = f"SELECT count(*) FROM (SELECT {self._source(statement)} LIMIT {COUNTED + 1}) AS c"  # noqa: S608
        statement.sql = statement.sql.replace("(SELECT FROM", "(SELECT 1 FROM", 1)
        return statement

    def groups(self, group: Group) -> Statement:
        """Return the statement for groups with their counts, the largest first, out of at most `GROUPED` rows."""
        statement = Statement()
        shown = "o.company" if group is Group.COMPANY else self._groups[group]
        source = self._source(statement)
        statement.sql = (
            f"SELECT value::text, min(shown::text) AS name, count(*) AS count, sum(count(*)) OVER () AS seen "  # noqa: S608
            f"FROM (SELECT {self._groups[group]} AS value, {shown} AS shown {source} LIMIT {GROUPED + 1}) AS g "
            f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {GROUPS}"
        )
        return statement

    def chosen(self, before: Sequence[Any]) -> Statement:
        """Return the statement for address and mailing of all rows, as a part of one that has arguments already."""
        statement = Statement(arguments=list(before))
        names = self._names
        source = self._source(statement)
        statement.sql = f"SELECT {names['address']} AS address, {names['mailing']} AS mailing {source}"
        return statement

    def _keys(self, sort: Sort) -> list[tuple[str, str]]:
        """Return what tells two rows of the same value apart, so that an index has them in this order."""
        address = (self._names["address"], "text")
        one = self.wanted.mailing is not None or self._by_state
        if one:
            return [address]
        mailing = ("r.mailing", "text")
        return [address, mailing] if sort is Sort.ADDRESS else [mailing, address]

    def _source(self, statement: Statement) -> str:
        wanted, tenant = self.wanted, statement.take(self.wanted.tenant)
        owner = "LEFT JOIN owners AS o ON o.tenant = {0}.tenant AND o.address = {0}.address"
        if self._by_state:
            text = (
                "FROM address_states AS s LEFT JOIN recipients AS r ON r.tenant = s.tenant AND r.mailing = s.mailing "
                f"AND r.address = s.address {owner.format('s')} WHERE s.tenant = {tenant} AND s.blocked"
            )
        else:
            text = (
                "FROM recipients AS r LEFT JOIN address_states AS s ON s.tenant = r.tenant AND s.address = r.address "
                f"{owner.format('r')} WHERE r.tenant = {tenant}"
            )
            if wanted.mailing is not None:
                text += f" AND r.mailing = {statement.take(wanted.mailing)}"
        only = {View.RETURNED: "r.returned_at IS NOT NULL", View.COMPLAINTS: "r.complained_at IS NOT NULL",
                View.BLOCKED: "s.blocked"}  # fmt: skip
        conditions = [only[wanted.view]] if wanted.view in only else []
        if wanted.show:
            conditions.append("(" + " OR ".join(_SHOWN[one] for one in sorted(wanted.show)) + ")")
        conditions += self._narrowed(statement)
        return " AND ".join([text, *conditions])

    def found(self) -> Statement | None:
        """Return the statement that counts what the search finds, up to one more than `FEW`; nothing without one."""
        statement = Statement()
        lists = self._lists(statement)
        if not lists:
            return None
        statement.sql = f"SELECT count(*) FROM ({' UNION ALL '.join(lists)} LIMIT {FEW + 1}) AS f"  # noqa: S608
        return statement

    def _lists(self, statement: Statement) -> list[str]:
        """Return what gives the addresses that the search finds: by how they begin, and by whose they are."""
        wanted, found = self.wanted, []
        if wanted.search is not None:
            table, only = ("address_states", "b.blocked") if self._by_state else ("recipients", "true")
            if not self._by_state and wanted.mailing is not None:
                only = f"b.mailing = {statement.take(wanted.mailing)}"
            begins = self._begins(statement, "b.address")
            tenant = statement.take(wanted.tenant)
            place = f"{table} AS b WHERE b.tenant = {tenant} AND {only} AND {begins}"
            found.append(f"(SELECT b.address FROM {place})")  # noqa: S608
        if wanted.words is not None:
            found.append(
                "(SELECT a.address FROM contacts AS c JOIN contact_addresses AS a USING (tenant, contact) "  # noqa: S608
                f"WHERE c.words @@ {statement.take(wanted.words)}::text::tsquery)"
            )
        return found

    def _begins(self, statement: Statement, column: str) -> str:
        first = statement.take(self.wanted.search)
        return f"({column} >= {first} AND {column} < {statement.take(f'{self.wanted.search}{LAST}')})"

    def _narrowed(self, statement: Statement) -> list[str]:
        wanted, found = self.wanted, []
        if wanted.blocked is not None:
            found.append(f"coalesce(s.blocked, false) = {statement.take(wanted.blocked)}")
        if wanted.contact is not None:  # by the key: so the planner sees an (anti) join, and how many that are
            found.append("o.address IS NOT NULL" if wanted.contact else "o.address IS NULL")
        narrowed = (
            (Group.REASON, wanted.reason), (Group.DOMAIN, wanted.domain), (Group.COMPANY, wanted.company),
            (Group.CAUSE, wanted.cause), (Group.TYPE, wanted.type),
        )  # fmt: skip
        for group, value in narrowed:
            if value is not None:
                found.append(f"{self._groups[group]} = {statement.take(value)}::text")
        if wanted.day is not None:
            begin = f"({statement.take(wanted.day)}::text::date)::timestamp AT TIME ZONE 'UTC'"
            found.append(f"{self._time} >= {begin} AND {self._time} < {begin} + interval '24 hours'")
        if wanted.search is not None or wanted.words is not None:
            found.append(self._searched(statement))
        return found

    def _searched(self, statement: Statement) -> str:
        address = self._names["address"]
        if self.few:
            return f"{address} IN ({' UNION ALL '.join(self._lists(statement))})"
        found = []
        if self.wanted.search is not None:
            found.append(self._begins(statement, address))
        if self.wanted.words is not None:
            query = statement.take(self.wanted.words)
            found.append(
                # Not EXISTS: the planner would look up all that it finds, which is much, for each page.
                f"coalesce((SELECT c.words @@ {query}::text::tsquery FROM contacts AS c "  # noqa: S608
                "WHERE c.tenant = o.tenant AND c.contact = o.contact), false)"
            )
        return f"({' OR '.join(found)})"


def marked(empty: bool, mark: list[str]) -> str:
    """Return the mark of a place in a view, as a caller hands it back."""
    return base64.urlsafe_b64encode(json.dumps([empty, *mark]).encode()).decode()


def phase_of(mark: str) -> bool:
    """Tell whether a mark is of the rows without a value. Raises `InvalidMessage` for what is no mark."""
    return bool(_read(mark)[0])


def _unmarked(mark: str, width: int) -> list[str]:
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
