"""The SQL of views: columns, orders and groups come from closed lists, never from the request.

Pages are found by keyset (`services.actions.views.keyset`): each statement walks one index, and only the rows of the
page are then joined with the other columns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.actions.views.domain import Group, Show, Sort, View, ViewQuery
from services.actions.views.keyset import Keys, PageStart, Statement, after_condition, counting

MAX_GROUPED_ROWS = 100_000
"""Rows that are grouped at most."""
MAX_GROUPS = 1_000
MAX_SEARCH_LOOKUP = 12_000
"""Matches of a search that are looked up and sorted. With more, the sort's index is scanned until the page is full;
with fewer, such a scan would read far."""
MAX_FILTER_LOOKUP = 20_000
"""The same for the rows that a filter leaves, which cost less to look up."""
MAX_UNSORTED_LOOKUP = 100_000
"""The same for a search when nothing has to be sorted: with more, a scan meets enough matches."""
SEARCHES = ("search", "words")
"""The probes that count what a search finds."""
LAST = "\U0010ffff"
"""The greatest character: what begins with a text sorts before the text followed by this."""

_SHOWN = {
    Show.SENT: "r.status NOT IN ('ready', 'unsubscribed')",
    Show.RETURNED: "(r.returned_at IS NOT NULL AND r.status IN ('hard_bounced', 'soft_bounced'))",
    Show.OPENED: "r.status = 'opened'",
    Show.COMPLAINED: "(r.complained_at IS NOT NULL AND r.status = 'complained')",
    Show.READY: "(r.status = 'ready' AND NOT coalesce(s.blocked, false))",
    Show.BLOCKED: "(r.status = 'ready' AND coalesce(s.blocked, false))",
}
_NOTABLE = "r.status NOT IN ('ready', 'sent', 'delivered')"
"""By status come first those of whom there is something to see, as the partial index has them; then all others."""
_RARE = {
    Show.RETURNED: "b.returned_at IS NOT NULL", Show.COMPLAINED: "b.complained_at IS NOT NULL",
    Show.OPENED: "b.status = 'opened'", Show.READY: "b.status = 'ready'", Show.BLOCKED: "b.status = 'ready'",
}  # fmt: skip
"""By which partial index each is found."""
_TYPES = {Sort.TYPE: "boolean", Sort.CODE: "smallint", Sort.SENT: "timestamptz", Sort.RETURNED: "timestamptz",
          Sort.COUNT: "integer", Sort.SINCE: "timestamptz", Sort.COMPLAINED: "timestamptz"}  # fmt: skip
DOMAIN = "split_part({address}, '@', -1)"
_COLUMNS = """{address} AS key, coalesce(r.written, {address}) AS address, {mailing} AS mailing,
    m.name AS mailing_name, r.status,
    CASE WHEN r.hard THEN 'hard' WHEN NOT r.hard THEN 'soft' END AS type, o.contact, o.name, o.company,
    coalesce(o.former_employee, false) AS former_employee, r.reply_code AS code, r.enhanced_status, {reason} AS reason,
    r.sent_at, r.returned_at, r.opened_at, r.complained_at, coalesce(s.blocked, false) AS blocked,
    CASE WHEN s.blocked THEN s.cause END AS cause,
    CASE WHEN s.blocked THEN s.return_count END AS return_count, CASE WHEN s.blocked THEN s.since END AS blocked_since,
    r.diagnostic, r.rule,
    CASE WHEN o.contact IS NULL THEN (
        SELECT x.new_written FROM address_corrections AS x WHERE x.tenant = $1 AND x.old = {address}
        ORDER BY x.time DESC LIMIT 1) END AS corrected_to"""


class ViewSql:
    """The statements of one `ViewQuery`."""

    def __init__(self, query: ViewQuery) -> None:
        self.query = query
        self.looks_up = False
        """Whether all matching rows are looked up and sorted; else the index of the sort is scanned."""
        self._searches: tuple[str, ...] = SEARCHES
        """The searches that find anything."""
        self._matches = MAX_UNSORTED_LOOKUP + 1
        """How many the search finds, counted up to `MAX_UNSORTED_LOOKUP` + 1."""
        self._by_state = query.view is View.BLOCKED and query.mailing is None
        base = "s" if self._by_state else "r"
        self._names = {
            "address": f"{base}.address",
            "mailing": f"{base}.mailing",
            "reason": "s.reason" if query.view is View.BLOCKED else "r.reason",
        }
        self._time = {View.COMPLAINTS: "r.complained_at", View.BLOCKED: "s.since"}.get(query.view, "r.returned_at")
        self._groups = {
            Group.REASON: self._names["reason"],
            Group.DOMAIN: DOMAIN.format(**self._names),
            Group.COMPANY: "o.company_key",
            Group.MAILING: self._names["mailing"],
            Group.DAY: f"({self._time} AT TIME ZONE 'UTC')::date",
            Group.CAUSE: "CASE WHEN s.blocked THEN s.cause END",
            Group.TYPE: "CASE WHEN r.hard THEN 'hard' WHEN NOT r.hard THEN 'soft' END",
            Group.STATUS: "r.status",
            Group.NAME: "o.name_key",
            Group.COUNT: "CASE WHEN s.blocked THEN s.return_count END",
        }
        self._sorts = {
            Sort.TYPE: "r.hard", Sort.NAME: "o.name_key", Sort.COMPANY: "o.company_key", Sort.CODE: "r.reply_code",
            Sort.REASON: self._names["reason"], Sort.SENT: "r.sent_at", Sort.RETURNED: "r.returned_at",
            Sort.COUNT: "s.return_count", Sort.SINCE: "s.since", Sort.CAUSE: "s.cause",
            Sort.MAILING: self._names["mailing"], Sort.STATUS: "r.status", Sort.COMPLAINED: "r.complained_at",
        }  # fmt: skip

    def page(self, sort: Sort, start: PageStart, *, descending: bool) -> Statement:
        """Return the statement for one phase of a page."""
        statement = Statement()
        source = self._source(statement, MAX_SEARCH_LOOKUP)
        keys, value = self.keys(sort, empty=start.empty), self._sorts.get(sort)
        if value is not None and len(self.phases(sort)) > 1:
            # Block states of who is not blocked are kept, but not shown.
            there = f"({value} IS NOT NULL AND s.blocked)" if value.startswith("s.") else f"{value} IS NOT NULL"
            if value in ("r.hard", "r.reply_code", "r.reason"):  # as the indexes say it
                there = f"({there} AND r.returned_at IS NOT NULL)"
            elif sort is Sort.STATUS:
                there = _NOTABLE
            elif value == "r.sent_at" and self._by_state:  # a block comes of a return or a complaint
                there = f"({there} AND (r.returned_at IS NOT NULL OR r.complained_at IS NOT NULL))"
            source += f" AND {there}" if not start.empty else f" AND {there} IS NOT TRUE"
        way = " DESC" if descending else ""
        if start.after is not None:
            source += f" AND {after_condition(statement, keys, start.after, descending=descending)}"
        names = [f"k{n}" for n in range(len(keys))]
        places = ", ".join(f"{key} AS {name}" for name, (key, _) in zip(names, keys, strict=True))
        rows = f"SELECT {self._names['address']} AS address, {self._names['mailing']} AS mailing, {places} {source}"
        if self.looks_up:
            rows = f"SELECT * FROM ({rows} OFFSET 0) AS f"  # noqa: S608
        order = [name if self.looks_up else key for name, (key, _) in zip(names, keys, strict=True)]
        position = ", ".join(f"p.{name}::text" for name in names)
        rows += f" ORDER BY {', '.join(f'{one}{way}' for one in order)} LIMIT {start.limit:d}"
        statement.sql = (
            f"SELECT {_COLUMNS.format(**self._names)}, ARRAY[{position}] AS position "  # noqa: S608
            f"FROM ({rows}) AS p {self._joined()} ORDER BY {', '.join(f'p.{name}{way}' for name in names)}"
        )
        return statement

    def _joined(self) -> str:
        """Return the joins of a page's rows `p` with all that is shown of them."""
        owner = (
            "LEFT JOIN owners AS o ON o.tenant = $1 AND o.address = p.address "
            "LEFT JOIN mailings AS m ON m.tenant = $1 AND m.mailing = p.mailing"
        )
        if self._by_state:
            return (
                "JOIN address_states AS s ON s.tenant = $1 AND s.address = p.address LEFT JOIN recipients AS r "
                f"ON r.tenant = $1 AND r.mailing = p.mailing AND r.address = p.address {owner}"
            )
        return (
            "JOIN recipients AS r ON r.tenant = $1 AND r.mailing = p.mailing AND r.address = p.address "
            f"LEFT JOIN address_states AS s ON s.tenant = $1 AND s.address = p.address {owner}"
        )

    def phases(self, sort: Sort) -> tuple[bool, ...]:
        """Return the phases of a page: with a value, then empty; one alone where every row has a value."""
        there = sort is Sort.ADDRESS or (sort is Sort.MAILING and not self._by_state)
        return (False,) if there else (False, True)

    def count(self) -> Statement:
        """Return the statement that counts."""
        statement = Statement()
        return counting(statement, self._source(statement, MAX_UNSORTED_LOOKUP))

    @property
    def grouped(self) -> int:
        """How many rows groups are made of: fewer where a search is met on the way, which reads far for each."""
        searched = self.query.search is not None or self.query.words is not None
        return MAX_FILTER_LOOKUP if searched and self._matches > MAX_UNSORTED_LOOKUP else MAX_GROUPED_ROWS

    def groups(self, group: Group) -> Statement:
        """Return the statement for groups with their counts, the largest first, out of at most `grouped` rows."""
        statement = Statement()
        shown, name = "", "value::text"
        if group in (Group.COMPANY, Group.NAME):
            shown, name = f", o.{group.value} AS shown", "min(shown)"
        if group is Group.MAILING:
            name = "coalesce((SELECT m.name FROM mailings AS m WHERE m.tenant = $1 AND m.mailing = value), value)"
        source = self._source(statement, MAX_UNSORTED_LOOKUP)
        statement.sql = (
            f"SELECT value::text, {name} AS name, count(*) AS count, sum(count(*)) OVER () AS seen "  # noqa: S608
            f"FROM (SELECT {self._groups[group]} AS value{shown} {source} LIMIT {self.grouped + 1}) AS g "
            f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {MAX_GROUPS}"
        )
        return statement

    def targets(self, before: Sequence[Any]) -> Statement:
        """Return the statement for address and mailing of all rows, as a part of one that has arguments `before`."""
        statement = Statement(arguments=list(before))
        names = self._names
        source = self._source(statement, MAX_UNSORTED_LOOKUP)
        statement.sql = f"SELECT {names['address']} AS address, {names['mailing']} AS mailing {source}"
        return statement

    def keys(self, sort: Sort, *, empty: bool) -> Keys:
        """Return what rows of a phase are ordered by: the value of the sort, then what an index has behind it."""
        value = self._sorts.get(sort)
        valued = value is not None and len(self.phases(sort)) > 1 and not empty
        first = [(value, _TYPES.get(sort, "text"))] if value is not None and valued else []
        return [*first, *self._tie_breakers(sort, empty=empty)]

    def _tie_breakers(self, sort: Sort, *, empty: bool) -> Keys:
        address, mailing = (self._names["address"], "text"), ("r.mailing", "text")
        of_mailings = sort is not Sort.ADDRESS and self._sorts[sort].startswith("r.")
        if self._by_state:
            return [mailing, ("r.address", "text")] if of_mailings and not empty else [address]
        if self.query.mailing is not None:
            return [address]
        return [mailing, address] if of_mailings else [address, mailing]

    def _source(self, statement: Statement, max_lookup: int) -> str:
        """Return joins and conditions; matches of a search are looked up when they are at most so many."""
        query, tenant = self.query, statement.take(self.query.tenant)
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
            if query.mailing is not None:
                text += f" AND r.mailing = {statement.take(query.mailing)}"
        only = {View.RETURNED: "r.returned_at IS NOT NULL", View.COMPLAINTS: "r.complained_at IS NOT NULL",
                View.BLOCKED: "s.blocked"}  # fmt: skip
        conditions = [only[query.view]] if query.view in only else []
        if query.view is View.BLOCKED and query.blocked is False:
            conditions.append("false")
        if query.show:
            conditions.append("(" + " OR ".join(_SHOWN[one] for one in sorted(query.show)) + ")")
        conditions += self._narrowed(statement, max_lookup)
        return " AND ".join([text, *conditions])

    def probes(self) -> Statement | None:
        """Return the statement that counts what the search finds and what filters leave; nothing without any.

        One row: a count by the name of each probe, at most one more than `decide` needs.
        """
        statement = Statement()
        probes = self._left(statement)
        if self.query.search is not None:
            begins = self._begins(statement, "b.address")
            probes["search"] = f"SELECT FROM {self._base(statement)} AND {begins}"
        if self.query.words is not None:  # contacts alone: their addresses are looked up when they are few
            probes["words"] = f"SELECT FROM contacts AS c WHERE {self._worded(statement)}"
        if not probes:
            return None
        limits = {name: MAX_UNSORTED_LOOKUP if name in SEARCHES else MAX_FILTER_LOOKUP for name in probes}
        counts = (
            f'(SELECT count(*) FROM ({sql} LIMIT {limits[name] + 1}) AS c) AS "{name}"'  # noqa: S608
            for name, sql in probes.items()
        )
        statement.sql = f"SELECT {', '.join(counts)}"
        return statement

    def decide(self, counts: Mapping[str, int]) -> None:
        """Choose between looking rows up and scanning an index, by what the probes counted."""
        found = {name: counts[name] for name in SEARCHES if name in counts}
        self._searches = tuple(name for name in found if found[name]) or tuple(found)[:1]
        self._matches = sum(found.values()) if found else self._matches
        few = any(count <= MAX_FILTER_LOOKUP for name, count in counts.items() if name not in found)
        self.looks_up = self._matches <= MAX_SEARCH_LOOKUP or few

    def _lists(self, statement: Statement) -> dict[str, str]:
        """Return what gives the addresses that the search finds: by how they begin, and by whose they are."""
        query, found = self.query, {}
        if query.search is not None and "search" in self._searches:
            begins = self._begins(statement, "b.address")
            found["search"] = f"SELECT b.address FROM {self._base(statement)} AND {begins}"  # noqa: S608
        if query.words is not None and "words" in self._searches:
            found["words"] = (
                "SELECT a.address FROM contacts AS c JOIN contact_addresses AS a USING (tenant, contact) "  # noqa: S608
                f"WHERE {self._worded(statement)}"
            )
        return found

    def _worded(self, statement: Statement) -> str:
        return f"c.words @@ {statement.take(self.query.words)}::text::tsquery"

    def _base(self, statement: Statement) -> str:
        """Return the table of the view as `b`, without its filters."""
        tenant = statement.take(self.query.tenant)
        if self._by_state:
            return f"address_states AS b WHERE b.tenant = {tenant} AND b.blocked"
        only = "" if self.query.mailing is None else f" AND b.mailing = {statement.take(self.query.mailing)}"
        return f"recipients AS b WHERE b.tenant = {tenant}{only}"

    def _left(self, statement: Statement) -> dict[str, str]:
        """Return what gives the rows that single filters leave, each by one index."""
        query, found = self.query, {}
        if query.company is not None:
            company = f"w.tenant = {statement.take(query.tenant)} AND w.company_key = {statement.take(query.company)}"
            found["company"] = f"SELECT FROM owners AS w WHERE {company}"
        if not self._by_state and (query.blocked or query.view is View.BLOCKED):
            tenant = statement.take(query.tenant)
            found["blocked"] = f"SELECT FROM address_states AS b WHERE b.tenant = {tenant} AND b.blocked"
        if not self._by_state and query.mailing is None:
            return found
        if query.domain is not None:
            domain = f"{DOMAIN.format(address='b.address')} = {statement.take(query.domain)}::text"
            found["domain"] = f"SELECT FROM {self._base(statement)} AND {domain}"
        if query.reason is not None and (self._by_state or query.view is not View.BLOCKED):
            returned = "" if self._by_state else "b.returned_at IS NOT NULL AND "
            reason = f"{returned}b.reason = {statement.take(query.reason)}"
            found["reason"] = f"SELECT FROM {self._base(statement)} AND {reason}"
        if not self._by_state and query.show and Show.SENT not in query.show:
            rare = sorted({_RARE[show] for show in query.show})
            found["show"] = " UNION ALL ".join(f"SELECT FROM {self._base(statement)} AND {one}" for one in rare)
        return found

    def _begins(self, statement: Statement, column: str) -> str:
        text = self.query.search or ""
        if text.startswith("@"):
            text, column = text[1:], DOMAIN.format(address=column)
        return f"({column} >= {statement.take(text)} AND {column} < {statement.take(f'{text}{LAST}')})"

    def _narrowed(self, statement: Statement, max_lookup: int) -> list[str]:
        query, found = self.query, []
        if query.blocked is not None:
            found.append("s.blocked" if query.blocked else "s.blocked IS NOT TRUE")
        if query.contact is not None:  # by the key: so the planner sees an (anti) join, and how many that are
            found.append("o.address IS NOT NULL" if query.contact else "o.address IS NULL")
        narrowed = (
            (Group.REASON, query.reason), (Group.DOMAIN, query.domain), (Group.COMPANY, query.company),
            (Group.CAUSE, query.cause), (Group.TYPE, query.type), (Group.STATUS, query.status),
            (Group.NAME, query.name),
        )  # fmt: skip
        for group, value in narrowed:
            if value is not None:
                found.append(f"{self._groups[group]} = {statement.take(value)}::text")
        if query.return_count is not None:
            found.append(f"s.blocked AND s.return_count = {statement.take(query.return_count)}::integer")
        if query.inside is not None:  # no index has it: a scan meets it, or meets it not
            found.append(f"strpos({self._names['address']}, {statement.take(query.inside)}) > 0")
        if query.type is not None or (query.reason is not None and self._names["reason"].startswith("r.")):
            found.append("r.returned_at IS NOT NULL")  # as the indexes say it
        if query.first is not None:
            found.append(f"{self._time} >= {statement.take(query.first)}::date::timestamp AT TIME ZONE 'UTC'")
        if query.last is not None:
            end = f"({statement.take(query.last)}::date + 1)::timestamp AT TIME ZONE 'UTC'"
            found.append(f"{self._time} < {end}")
        if query.search is not None or query.words is not None:
            found.append(self._searched(statement, max_lookup))
        return found

    def _searched(self, statement: Statement, max_lookup: int) -> str:
        address = self._names["address"]
        if self._matches <= max_lookup:
            lists = " UNION ALL ".join(f"({sql})" for sql in self._lists(statement).values())
            return f"{address} IN ({lists})"
        found = []
        if self.query.search is not None and "search" in self._searches:
            found.append(self._begins(statement, address))
        if self.query.words is not None and "words" in self._searches:
            found.append(
                # Not EXISTS: the planner would look up all that it finds, which is much, for each page.
                f"coalesce((SELECT {self._worded(statement)} FROM contacts AS c "  # noqa: S608
                "WHERE c.tenant = o.tenant AND c.contact = o.contact), false)"
            )
        return f"({' OR '.join(found)})"
