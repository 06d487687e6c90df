"""The SQL of views: which rows, in which order, by which groups, out of closed lists, never out of what is asked for.

A page is found by key: rows that have a value of what is sorted by come first, in either direction, then those that
have none, by address. So each statement walks one index, and no row is skipped that has to be counted. Only the rows
of the page are then joined with all that is shown of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.actions.paging import Place, Statement, counting, following
from services.actions.views import Group, Show, Sort, View, Wanted

GROUPED = 100_000
"""Rows that groups are made of."""
GROUPS = 1_000
FOUND = 12_000
"""What a search finds is looked up when it is so few, and met on the way through an index when it is more: of few, one
would read far before a page is full."""
FEW = 20_000
"""The same of what a filter leaves, which costs less to look up."""
MANY = 100_000
"""The same of a search when nothing has to be sorted: of more, one meets enough on the way."""
SEARCHES = ("search", "words")
"""By which probes a search is counted."""
LAST = "\U0010ffff"
"""After which nothing comes: what begins with a text is before the text with this."""

_SHOWN = {
    Show.SENT: "r.status IN ('sent', 'delivered', 'unsubscribed')",
    Show.RETURNED: "(r.returned_at IS NOT NULL AND r.status IN ('hard_bounced', 'soft_bounced'))",
    Show.OPENED: "r.status = 'opened'",
    Show.COMPLAINED: "(r.complained_at IS NOT NULL AND r.status = 'complained')",
    Show.READY: "(r.status = 'ready' AND NOT coalesce(s.blocked, false))",
    Show.BLOCKED: "(r.status = 'ready' AND coalesce(s.blocked, false))",
}
_RARE = {
    Show.RETURNED: "b.returned_at IS NOT NULL", Show.COMPLAINED: "b.complained_at IS NOT NULL",
    Show.OPENED: "b.status = 'opened'", Show.READY: "b.status = 'ready'", Show.BLOCKED: "b.status = 'ready'",
}  # fmt: skip
"""By which partial index each is found."""
_TYPES = {Sort.TYPE: "boolean", Sort.CODE: "smallint", Sort.SENT: "timestamptz", Sort.RETURNED: "timestamptz",
          Sort.COUNT: "integer", Sort.SINCE: "timestamptz"}  # fmt: skip
_DOMAIN = "split_part({address}, '@', -1)"
_COLUMNS = """{address} AS key, coalesce(r.written, {address}) AS address, {mailing} AS mailing,
    m.name AS mailing_name, r.status,
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
        """Whether all that fits is looked up, and sorted; else it is met on the way through the index of the sort."""
        self._found: tuple[str, ...] = SEARCHES
        """By which ways the search finds anything."""
        self._number = MANY + 1
        """How many the search finds, at most one more than are many."""
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

    def page(self, sort: Sort, place: Place, *, descending: bool) -> Statement:
        """Return the statement for a part of a page. Raises `InvalidMessage` for a mark of something else."""
        statement = Statement()
        source = self._source(statement, FOUND)
        keys, value = self._keys(sort, empty=place.empty), self._sorts.get(sort)
        if value is not None and len(self.phases(sort)) > 1:
            # Block states of who is not blocked are kept, but not shown.
            there = f"({value} IS NOT NULL AND s.blocked)" if value.startswith("s.") else f"{value} IS NOT NULL"
            if value in ("r.hard", "r.reply_code", "r.reason"):  # as the indexes say it
                there = f"({there} AND r.returned_at IS NOT NULL)"
            elif value == "r.sent_at" and self._by_state:  # a block comes of a return or a complaint
                there = f"({there} AND (r.returned_at IS NOT NULL OR r.complained_at IS NOT NULL))"
            source += f" AND {there}" if not place.empty else f" AND {there} IS NOT TRUE"
            keys = keys if place.empty else [(value, _TYPES.get(sort, "text")), *keys]
        way = " DESC" if descending else ""
        if place.after is not None:
            source += f" AND {following(statement, keys, place.after, descending=descending)}"
        names = [f"k{n}" for n in range(len(keys))]
        places = ", ".join(f"{key} AS {name}" for name, (key, _) in zip(names, keys, strict=True))
        rows = f"SELECT {self._names['address']} AS address, {self._names['mailing']} AS mailing, {places} {source}"
        if self.few:
            rows = f"SELECT * FROM ({rows} OFFSET 0) AS f"  # noqa: S608
        order = [name if self.few else key for name, (key, _) in zip(names, keys, strict=True)]
        rows += f" ORDER BY {', '.join(f'{one}{way}' for one in order)} LIMIT {place.limit:d}"
        statement.sql = (
            f"SELECT {_COLUMNS.format(**self._names)}, ARRAY[{', '.join(f'p.{name}::text' for name in names)}] AS mark "  # noqa: S608
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
        return counting(statement, self._source(statement, MANY))

    @property
    def grouped(self) -> int:
        """How many rows groups are made of: fewer where a search is met on the way, which reads far for each."""
        searched = self.wanted.search is not None or self.wanted.words is not None
        return FEW if searched and self._number > MANY else GROUPED

    def groups(self, group: Group) -> Statement:
        """Return the statement for groups with their counts, the largest first, out of at most `grouped` rows."""
        statement = Statement()
        shown, name = (", o.company AS shown", "min(shown)") if group is Group.COMPANY else ("", "value::text")
        if group is Group.MAILING:
            name = "coalesce((SELECT m.name FROM mailings AS m WHERE m.tenant = $1 AND m.mailing = value), value)"
        source = self._source(statement, MANY)
        statement.sql = (
            f"SELECT value::text, {name} AS name, count(*) AS count, sum(count(*)) OVER () AS seen "  # noqa: S608
            f"FROM (SELECT {self._groups[group]} AS value{shown} {source} LIMIT {self.grouped + 1}) AS g "
            f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {GROUPS}"
        )
        return statement

    def chosen(self, before: Sequence[Any]) -> Statement:
        """Return the statement for address and mailing of all rows, as a part of one that has arguments already."""
        statement = Statement(arguments=list(before))
        names = self._names
        source = self._source(statement, MANY)
        statement.sql = f"SELECT {names['address']} AS address, {names['mailing']} AS mailing {source}"
        return statement

    def _keys(self, sort: Sort, *, empty: bool) -> list[tuple[str, str]]:
        """Return what tells two rows of the same value apart, so that an index has them in this order."""
        address, mailing = (self._names["address"], "text"), ("r.mailing", "text")
        of_mailings = sort is not Sort.ADDRESS and self._sorts[sort].startswith("r.")
        if self._by_state:
            return [mailing, ("r.address", "text")] if of_mailings and not empty else [address]
        if self.wanted.mailing is not None:
            return [address]
        return [mailing, address] if of_mailings else [address, mailing]

    def _source(self, statement: Statement, most: int) -> str:
        """Return joins and conditions; what a search finds is looked up when it is at most so many."""
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
        if wanted.view is View.BLOCKED and wanted.blocked is False:
            conditions.append("false")
        if wanted.show:
            conditions.append("(" + " OR ".join(_SHOWN[one] for one in sorted(wanted.show)) + ")")
        conditions += self._narrowed(statement, most)
        return " AND ".join([text, *conditions])

    def probes(self) -> Statement | None:
        """Return the statement that counts what the search finds and what filters leave; nothing without any.

        One row: a number by the name of each probe, at most one more than it is decided by.
        """
        statement = Statement()
        probes = self._left(statement)
        if self.wanted.search is not None:
            begins = self._begins(statement, "b.address")
            probes["search"] = f"SELECT FROM {self._base(statement)} AND {begins}"
        if self.wanted.words is not None:  # the persons alone: whose addresses they are is looked up when they are few
            probes["words"] = f"SELECT FROM contacts AS c WHERE {self._worded(statement)}"
        if not probes:
            return None
        counts = (
            f'(SELECT count(*) FROM ({sql} LIMIT {(MANY if name in SEARCHES else FEW) + 1}) AS c) AS "{name}"'  # noqa: S608
            for name, sql in probes.items()
        )
        statement.sql = f"SELECT {', '.join(counts)}"
        return statement

    def decide(self, counts: Mapping[str, int]) -> None:
        """Take what the probes have counted."""
        found = {name: counts[name] for name in SEARCHES if name in counts}
        self._found = tuple(name for name in found if found[name]) or tuple(found)[:1]
        self._number = sum(found.values()) if found else self._number
        self.few = self._number <= FOUND or any(count <= FEW for name, count in counts.items() if name not in found)

    def _lists(self, statement: Statement) -> dict[str, str]:
        """Return what gives the addresses that the search finds: by how they begin, and by whose they are."""
        wanted, found = self.wanted, {}
        if wanted.search is not None and "search" in self._found:
            begins = self._begins(statement, "b.address")
            found["search"] = f"SELECT b.address FROM {self._base(statement)} AND {begins}"  # noqa: S608
        if wanted.words is not None and "words" in self._found:
            found["words"] = (
                "SELECT a.address FROM contacts AS c JOIN contact_addresses AS a USING (tenant, contact) "  # noqa: S608
                f"WHERE {self._worded(statement)}"
            )
        return found

    def _worded(self, statement: Statement) -> str:
        return f"c.words @@ {statement.take(self.wanted.words)}::text::tsquery"

    def _base(self, statement: Statement) -> str:
        """Return the table of the view as `b`, without its filters."""
        tenant = statement.take(self.wanted.tenant)
        if self._by_state:
            return f"address_states AS b WHERE b.tenant = {tenant} AND b.blocked"
        only = "" if self.wanted.mailing is None else f" AND b.mailing = {statement.take(self.wanted.mailing)}"
        return f"recipients AS b WHERE b.tenant = {tenant}{only}"

    def _left(self, statement: Statement) -> dict[str, str]:
        """Return what gives the rows that single filters leave, each by one index."""
        wanted, found = self.wanted, {}
        if wanted.company is not None:
            company = f"w.tenant = {statement.take(wanted.tenant)} AND w.company_key = {statement.take(wanted.company)}"
            found["company"] = f"SELECT FROM owners AS w WHERE {company}"
        if not self._by_state and (wanted.blocked or wanted.view is View.BLOCKED):
            tenant = statement.take(wanted.tenant)
            found["blocked"] = f"SELECT FROM address_states AS b WHERE b.tenant = {tenant} AND b.blocked"
        if not self._by_state and wanted.mailing is None:
            return found
        if wanted.domain is not None:
            domain = f"{_DOMAIN.format(address='b.address')} = {statement.take(wanted.domain)}::text"
            found["domain"] = f"SELECT FROM {self._base(statement)} AND {domain}"
        if wanted.reason is not None and (self._by_state or wanted.view is not View.BLOCKED):
            returned = "" if self._by_state else "b.returned_at IS NOT NULL AND "
            reason = f"{returned}b.reason = {statement.take(wanted.reason)}"
            found["reason"] = f"SELECT FROM {self._base(statement)} AND {reason}"
        if not self._by_state and wanted.show and Show.SENT not in wanted.show:
            rare = sorted({_RARE[show] for show in wanted.show})
            found["show"] = " UNION ALL ".join(f"SELECT FROM {self._base(statement)} AND {one}" for one in rare)
        return found

    def _begins(self, statement: Statement, column: str) -> str:
        first = statement.take(self.wanted.search)
        return f"({column} >= {first} AND {column} < {statement.take(f'{self.wanted.search}{LAST}')})"

    def _narrowed(self, statement: Statement, most: int) -> list[str]:
        wanted, found = self.wanted, []
        if wanted.blocked is not None:
            found.append("s.blocked" if wanted.blocked else "s.blocked IS NOT TRUE")
        if wanted.contact is not None:  # by the key: so the planner sees an (anti) join, and how many that are
            found.append("o.address IS NOT NULL" if wanted.contact else "o.address IS NULL")
        narrowed = (
            (Group.REASON, wanted.reason), (Group.DOMAIN, wanted.domain), (Group.COMPANY, wanted.company),
            (Group.CAUSE, wanted.cause), (Group.TYPE, wanted.type),
        )  # fmt: skip
        for group, value in narrowed:
            if value is not None:
                found.append(f"{self._groups[group]} = {statement.take(value)}::text")
        if wanted.type is not None or (wanted.reason is not None and self._names["reason"].startswith("r.")):
            found.append("r.returned_at IS NOT NULL")  # as the indexes say it
        if wanted.first is not None:
            found.append(f"{self._time} >= {statement.take(wanted.first)}::date::timestamp AT TIME ZONE 'UTC'")
        if wanted.last is not None:
            end = f"({statement.take(wanted.last)}::date + 1)::timestamp AT TIME ZONE 'UTC'"
            found.append(f"{self._time} < {end}")
        if wanted.search is not None or wanted.words is not None:
            found.append(self._searched(statement, most))
        return found

    def _searched(self, statement: Statement, most: int) -> str:
        address = self._names["address"]
        if self._number <= most:
            lists = " UNION ALL ".join(f"({sql})" for sql in self._lists(statement).values())
            return f"{address} IN ({lists})"
        found = []
        if self.wanted.search is not None and "search" in self._found:
            found.append(self._begins(statement, address))
        if self.wanted.words is not None and "words" in self._found:
            found.append(
                # Not EXISTS: the planner would look up all that it finds, which is much, for each page.
                f"coalesce((SELECT {self._worded(statement)} FROM contacts AS c "  # noqa: S608
                "WHERE c.tenant = o.tenant AND c.contact = o.contact), false)"
            )
        return f"({' OR '.join(found)})"
