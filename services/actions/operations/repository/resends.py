"""Recipients that a mailing is sent to again."""

from dataclasses import dataclass
from pathlib import Path

from services.actions.operations.domain import Part
from shared.database.pool import Connection
from shared.database.queries import queries

_Q = queries(Path(__file__).with_name("resends.sql"))

SKIP = """(
    SELECT CASE
        WHEN c.mailing IS NULL THEN 'no_mailing'
        WHEN q.status IS NULL THEN 'no_recipient'
        WHEN q.status IN ('delivered', 'opened') THEN 'delivered'
        WHEN q.status = 'ready' THEN 'not_sent'
        WHEN q.status = 'sent' THEN 'outcome_unknown'
        WHEN q.status IN ('complained', 'unsubscribed') OR q.unsubscribed_at IS NOT NULL THEN 'unwanted'
        WHEN b.blocked THEN 'blocked'
        WHEN o.former_employee THEN 'former_employee'
    END
    FROM (SELECT) AS one
    LEFT JOIN recipients AS q ON q.tenant = $2 AND q.mailing = c.mailing AND q.address = c.address
    LEFT JOIN address_states AS b ON b.tenant = $2 AND b.address = c.address
    LEFT JOIN owners AS o ON o.tenant = $2 AND o.address = c.address)"""
"""SQL: only recipients that did not get the mailing, and may be sent to, are not skipped."""
_ROWS_TO_SEND = _Q["rows_to_send"].format(skip=SKIP)


@dataclass(frozen=True, slots=True)
class ResendRow:
    """A recipient; `why` says why it is not sent to any more, nothing: it is."""

    seq: int
    mailing: str
    address: str
    reason: str | None
    why: str | None
    sender: str | None
    """The system that sent the mailing."""


async def rows_to_send(connection: Connection, tenant: str, part: Part) -> list[ResendRow]:
    """Return the open rows of a part."""
    rows = await connection.fetch(_ROWS_TO_SEND, part.operation, tenant, part.first, part.last)
    return [ResendRow(**dict(row)) for row in rows]
