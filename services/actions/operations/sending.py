"""Send again: those of a mailing that did not get it and may now be sent to, as commands to whoever sent it."""

from datetime import UTC, datetime

from returpost.contracts import Name, Reason, RetryRequested, ids
from returpost.contracts.cloudevents import event
from services.actions.contacts import SOURCE
from services.actions.operations import store
from services.actions.operations.model import COMMAND_PART, Answer, Kind, Parameters, Part, Running
from services.actions.operations.people import Q
from shared.messaging.unit_of_work import UnitOfWork

ATTEMPT = 2
"""After the first: how many there were, the classifier counts for itself."""

_SKIP = """(
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
_DUE_ROWS = Q["due_rows"].format(skip=_SKIP)


class Again(Parameters):
    """Who is to send."""

    sender: Name | None = None
    """The system; none named: the one that sent the mailing."""


async def _send(work: UnitOfWork, operation: Running, part: Part) -> Answer | None:
    rows = await work.connection.fetch(_DUE_ROWS, operation.no, operation.tenant, part.first, part.last)
    await store.skip(work.connection, operation.no, [(row["seq"], row["why"]) for row in rows if row["why"]])
    due = datetime.now(UTC)
    for row in rows:
        if row["why"]:
            continue
        sender = operation.parameters.get("sender") or row["sender"] or "default"
        data = RetryRequested(
            mailing=row["mailing"],
            address=row["address"],
            sender=sender,
            attempt=ATTEMPT,
            due=due,
            reason=Reason(row["reason"] or Reason.UNDETERMINED),
        )
        identity = ids.derived(f"{operation.tenant} {operation.id}", RetryRequested.TYPE, row["seq"])
        command = event(data, id=identity, source=SOURCE, tenant=operation.tenant, subject=row["mailing"])
        work.command(command, sender)
    return None


SEND = Kind(apply=_send, parameters=Again, skip=_SKIP, size=COMMAND_PART, recipients=True)
