"""The SQL of the list of contacts: columns and orders come from closed lists, never from the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.actions.views.keyset import Keys, PageStart, Statement, after_condition, counting
from services.actions.views.view_queries import (
    DOMAIN,
    MAX_FILTER_LOOKUP,
    MAX_GROUPED_ROWS,
    MAX_GROUPS,
    MAX_UNSORTED_LOOKUP,
)


class Sort(StrEnum):
    """A column to sort by; contacts of the same value are sorted by their ids."""

    CONTACT = "contact"
    NAME = "name"
    COMPANY = "company"


@dataclass(frozen=True, slots=True)
class ContactQuery:
    """The contacts that match a filter; a value of none filters nothing."""

    tenant: str
    contact: str | None = None
    former_employee: bool | None = None
    address_prefix: str | None = None
    """The beginning of an address, or of a domain with its @."""
    address_part: str | None = None
    company: str | None = None
    """The key of a company."""
    words: str | None = None
    """A tsquery over name, company and external id."""


_ADDRESSES = """coalesce((
    SELECT jsonb_agg(jsonb_build_object('address', a.written, 'blocked', coalesce(s.blocked, false),
                                        'cause', s.cause, 'reason', s.reason) ORDER BY a.rank)
    FROM contact_addresses AS a
    LEFT JOIN address_states AS s ON s.tenant = a.tenant AND s.address = a.address AND s.blocked
    WHERE a.tenant = c.tenant AND a.contact = c.contact), '[]')"""
_VALUES = {Sort.NAME: "c.name_key", Sort.COMPANY: "c.company_key"}


class ContactSql:
    """The statements of one `ContactQuery`."""

    def __init__(self, query: ContactQuery) -> None:
        self.query = query
        self._matches = MAX_UNSORTED_LOOKUP + 1
        """How many the search finds, counted up to `MAX_UNSORTED_LOOKUP` + 1."""

    def probes(self) -> Statement | None:
        """Return the statement that counts what the search finds; nothing without a search."""
        statement = Statement()
        lookups = self._lookups(statement)
        if not lookups:
            return None
        found = f"{' UNION ALL '.join(lookups)} LIMIT {MAX_UNSORTED_LOOKUP + 1}"
        statement.sql = f"SELECT count(*) AS search FROM ({found}) AS f"  # noqa: S608
        return statement

    def decide(self, counts: Mapping[str, int]) -> None:
        """Choose between looking contacts up and scanning an index, by what the search finds."""
        self._matches = counts["search"]

    def phases(self, sort: Sort) -> tuple[bool, ...]:
        """Return the phases of a page: contacts with a value, then those without."""
        return (False, True) if sort in _VALUES else (False,)

    def keys(self, sort: Sort, *, empty: bool) -> Keys:
        """Return what contacts of a phase are ordered by."""
        value = None if empty else _VALUES.get(sort)
        return [*([(value, "text")] if value else []), ("c.contact", "text")]

    def page(self, sort: Sort, start: PageStart, *, descending: bool) -> Statement:
        """Return the statement for one phase of a page."""
        statement = Statement()
        source, keys = self._source(statement, MAX_FILTER_LOOKUP), self.keys(sort, empty=start.empty)
        if value := _VALUES.get(sort):
            source += f" AND {value} IS {'' if start.empty else 'NOT '}NULL"
        if start.after is not None:
            source += f" AND {after_condition(statement, keys, start.after, descending=descending)}"
        way = " DESC" if descending else ""
        order = ", ".join(f"{key}{way}" for key, _ in keys)
        position = ", ".join(key for key, _ in keys)
        statement.sql = (
            f"SELECT c.contact, c.name, c.company, c.external_id, c.former_employee, c.version, "
            f"{_ADDRESSES} AS addresses, ARRAY[{position}] AS position {source} ORDER BY {order} "
            f"LIMIT {statement.take(start.limit)}"
        )
        return statement

    def count(self) -> Statement:
        """Return the statement that counts."""
        statement = Statement()
        return counting(statement, self._source(statement, MAX_UNSORTED_LOOKUP))

    def _source(self, statement: Statement, max_lookup: int) -> str:
        query = self.query
        text = f"FROM contacts AS c WHERE c.tenant = {statement.take(query.tenant)}"
        if query.contact is not None:
            text += f" AND c.contact = {statement.take(query.contact)}"
        if query.former_employee is not None:
            text += f" AND {'' if query.former_employee else 'NOT '}c.former_employee"
        if query.company is not None:
            text += f" AND c.company_key = {statement.take(query.company)}"
        if query.words is None and query.address_prefix is None and query.address_part is None:
            return text
        if self._matches <= max_lookup:
            return f"{text} AND c.contact IN ({' UNION ALL '.join(self._lookups(statement))})"
        return f"{text} AND ({' OR '.join(self._conditions(statement))})"

    def _lookups(self, statement: Statement) -> list[str]:
        """Return the selects of the contacts that the search finds: by their words, and by how an address begins."""
        query, found = self.query, []
        if query.words is not None:  # each word has its tenant before it
            words = statement.take(query.words)
            found.append(f"(SELECT n.contact FROM contacts AS n WHERE n.words @@ {words}::text::tsquery)")  # noqa: S608
        if (asked := self._asked(statement)) is not None:
            source = f"contact_addresses AS a WHERE a.tenant = {statement.take(query.tenant)} AND {asked}"
            found.append(f"(SELECT a.contact FROM {source})")  # noqa: S608
        return found

    def _asked(self, statement: Statement) -> str | None:
        """Return what is asked of an address, nothing when nothing is."""
        prefix, part = self.query.address_prefix, self.query.address_part
        if part is not None:
            return f"strpos(a.address, {statement.take(part)}) > 0"
        if prefix is not None and prefix.startswith("@"):
            return f"{DOMAIN.format(address='a.address')} ^@ {statement.take(prefix[1:])}"
        return None if prefix is None else f"a.address ^@ {statement.take(prefix)}"

    def groups(self) -> Statement:
        """Return the statement for companies with their counts, the largest first."""
        statement = Statement()
        source = self._source(statement, MAX_UNSORTED_LOOKUP)
        statement.sql = (
            "SELECT value, min(shown) AS name, count(*) AS count, sum(count(*)) OVER () AS seen FROM ("  # noqa: S608
            f"SELECT c.company_key AS value, c.company AS shown {source} LIMIT {MAX_GROUPED_ROWS + 1}) AS g "
            f"GROUP BY value ORDER BY count(*) DESC, value LIMIT {MAX_GROUPS}"
        )
        return statement

    def _conditions(self, statement: Statement) -> list[str]:
        """Return the conditions of the search for contacts that a scan meets."""
        query, found = self.query, []
        if query.words is not None:
            found.append(f"c.words @@ {statement.take(query.words)}::text::tsquery")
        if (asked := self._asked(statement)) is not None:
            found.append(
                f"coalesce((SELECT bool_or({asked}) "  # noqa: S608
                "FROM contact_addresses AS a WHERE a.tenant = c.tenant AND a.contact = c.contact), false)"
            )
        return found
