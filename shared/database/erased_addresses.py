"""What a service keeps of an erased address: a keyed hash and a time (`schema/erased_addresses`), so that what happened
before and comes late does not bring the address back.

The rule: what happened at the time of the erasure or earlier belongs to the erased address (`erased_at >= time`).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.database.pool import Connection
from shared.database.queries import columns

_ANY: Final = "SELECT EXISTS (SELECT FROM erased_addresses)"
_REMEMBER: Final = """
INSERT INTO erased_addresses AS e (key, erased_at)
SELECT erased_key(n.tenant, n.address), max(n.time)
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS n (tenant, address, time)
GROUP BY 1 ORDER BY 1
ON CONFLICT (key) DO UPDATE SET erased_at = excluded.erased_at WHERE e.erased_at < excluded.erased_at
"""
_ERASED_SINCE: Final = """
SELECT n.index - 1 AS index
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS n (tenant, address, time, index)
JOIN erased_addresses AS e ON e.key = erased_key(n.tenant, n.address) AND e.erased_at >= n.time
"""


async def remember(connection: Connection, times: Sequence[tuple[str, str, datetime]]) -> None:
    """Keep the hash of each (tenant, address), and when it was erased."""
    await connection.execute(_REMEMBER, *columns(times, 3))


async def erased_since(connection: Connection, times: Sequence[tuple[str, str, datetime]]) -> set[int]:
    """Return the indexes of those (tenant, address, time) whose address was erased at that time or later."""
    if not times or not await connection.fetchval(_ANY):
        return set()
    return {row["index"] for row in await connection.fetch(_ERASED_SINCE, *columns(times, 3))}
