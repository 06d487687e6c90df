"""The list of contacts: which of them, in which order, as SQL out of closed lists, never out of what is asked for."""

from dataclasses import dataclass
from enum import StrEnum

from services.actions.paging import Place, Statement, counting, following
from services.actions.plans import FEW, MANY


class Sort(StrEnum):
    """What contacts are sorted by: their ids, or one of these and then their ids."""

    CONTACT = "contact"
    NAME = "name"
    COMPANY = "company"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; a value of none narrows nothing."""

    tenant: str
    contact: str | None = None
    former_employee: bool | None = None
    beginning: str | None = None
    """Of an address."""
    words: str | None = None
    """A tsquery over name, company and external id."""


_ADDRESSES = """coalesce((
    SELECT jsonb_agg(jsonb_build_object('address', a.written, 'blocked', coalesce(s.blocked, false),
                                        'cause', s.cause, 'reason', s.reason) ORDER BY a.rank)
    FROM contact_addresses AS a
    LEFT JOIN address_states AS s ON s.tenant = a.tenant AND s.address = a.address AND s.blocked
    WHERE a.tenant = c.tenant AND a.contact = c.contact), '[]')"""
_VALUES = {Sort.NAME: "c.name_key", Sort.COMPANY: "c.company_key"}


class Plan:
    """The SQL of what is asked for."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.number = MANY + 1
        """How many the search finds, as `found` tells: so few are looked up, of more enough are met on the way."""

    def phases(self, sort: Sort) -> tuple[bool, ...]:
        """Return the phases of a page: contacts with a value, then those without."""
        return (False, True) if sort in _VALUES else (False,)

    def page(self, sort: Sort, place: Place, *, descending: bool) -> Statement:
        """Return the statement for a part of a page. Raises `InvalidMessage` for a mark of something else."""
        statement = Statement()
        source = self._source(statement, FEW)
        keys = [("c.contact", "text")]
        if value := _VALUES.get(sort):
            source += f" AND {value} IS {'' if place.empty else 'NOT '}NULL"
            keys = keys if place.empty else [(value, "text"), *keys]
        if place.after is not None:
            source += f" AND {following(statement, keys, place.after, descending=descending)}"
        way = " DESC" if descending else ""
        order = ", ".join(f"{key}{way}" for key, _ in keys)
        mark = ", ".join(key for key, _ in keys)
        statement.sql = (
            f"SELECT c.contact, c.name, c.company, c.external_id, c.former_employee, c.version, "
            f"{_ADDRESSES} AS addresses, ARRAY[{mark}] AS mark {source} ORDER BY {order} "
            f"LIMIT {statement.take(place.limit)}"
        )
        return statement

    def count(self) -> Statement:
        """Return the statement that counts."""
        statement = Statement()
        return counting(statement, self._source(statement, MANY))

    def found(self) -> Statement | None:
        """Return the statement that counts what the search finds, up to one more than `MANY`; nothing without one."""
        statement = Statement()
        lists = self._lists(statement)
        if not lists:
            return None
        statement.sql = f"SELECT count(*) FROM ({' UNION ALL '.join(lists)} LIMIT {MANY + 1}) AS f"  # noqa: S608
        return statement

    def _source(self, statement: Statement, most: int) -> str:
        wanted = self.wanted
        text = f"FROM contacts AS c WHERE c.tenant = {statement.take(wanted.tenant)}"
        if wanted.contact is not None:
            text += f" AND c.contact = {statement.take(wanted.contact)}"
        if wanted.former_employee is not None:
            text += f" AND {'' if wanted.former_employee else 'NOT '}c.former_employee"
        if wanted.words is None and wanted.beginning is None:
            return text
        if self.number <= most:
            return f"{text} AND c.contact IN ({' UNION ALL '.join(self._lists(statement))})"
        return f"{text} AND ({' OR '.join(self._met(statement))})"

    def _lists(self, statement: Statement) -> list[str]:
        """Return what gives the contacts that the search finds: by their words, and by how an address begins."""
        wanted, found = self.wanted, []
        if wanted.words is not None:  # each word has its tenant before it
            query = statement.take(wanted.words)
            found.append(f"(SELECT n.contact FROM contacts AS n WHERE n.words @@ {query}::text::tsquery)")  # noqa: S608
        if wanted.beginning is not None:
            tenant, first = statement.take(wanted.tenant), statement.take(wanted.beginning)
            place = f"contact_addresses AS a WHERE a.tenant = {tenant} AND a.address ^@ {first}"
            found.append(f"(SELECT a.contact FROM {place})")  # noqa: S608
        return found

    def _met(self, statement: Statement) -> list[str]:
        """Return the conditions of the search for contacts that are met on the way."""
        wanted, found = self.wanted, []
        if wanted.words is not None:
            found.append(f"c.words @@ {statement.take(wanted.words)}::text::tsquery")
        if wanted.beginning is not None:
            found.append(
                f"coalesce((SELECT bool_or(a.address ^@ {statement.take(wanted.beginning)}) "  # noqa: S608
                "FROM contact_addresses AS a WHERE a.tenant = c.tenant AND a.contact = c.contact), false)"
            )
        return found
