"""Addresses that an operation leaves out unless they are chosen on purpose, and those that were erased."""

from collections.abc import Collection
from enum import StrEnum


class Protected(StrEnum):
    """Who asked not to be mailed."""

    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


_OF = "c.address IN (SELECT r.address FROM recipients AS r WHERE r.tenant = $2 AND r.{column} IS NOT NULL)"
_FORMER = "c.address IN (SELECT o.address FROM owners AS o WHERE o.tenant = $2 AND o.former_employee)"
ERASED = """CASE WHEN EXISTS (SELECT FROM erased_addresses AS e WHERE e.key = erased_key($2, c.address))
     AND NOT EXISTS (SELECT FROM recipients AS r WHERE r.tenant = $2 AND r.address = c.address)
     AND NOT EXISTS (SELECT FROM contact_addresses AS a WHERE a.tenant = $2 AND a.address = c.address)
     AND NOT EXISTS (SELECT FROM address_states AS s WHERE s.tenant = $2 AND s.address = c.address)
THEN 'erased' END"""
"""SQL: addresses that were erased, and of which nothing was heard since."""


def skip_protected(included: Collection[Protected]) -> str:
    """Return the SQL that skips former employees alone, and who asked not to be mailed, without those `included`.

    The subqueries are not correlated: PostgreSQL makes one hash table of each, whatever the number of rows.
    """
    left_out = [one for one in Protected if one not in included]
    cases = [f"WHEN {_OF.format(column=f'{one.value}_at')} THEN '{one.value}'" for one in left_out]
    return f"CASE WHEN {_FORMER} THEN 'former_employee' {' '.join(cases)} END"
