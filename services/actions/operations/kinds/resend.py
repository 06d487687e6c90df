"""Send again: commands to the sending system, for recipients that did not get a mailing and may be sent to."""

from datetime import UTC, datetime

from returpost.contracts import Name, Reason, RetryRequested
from services.actions.operations.domain import COMMAND_ROWS, Part, StoredOperation
from services.actions.operations.events import retry_requested
from services.actions.operations.kinds.operation_kind import AwaitedEvent, OperationKind, Parameters
from services.actions.operations.repository import operations
from services.actions.operations.repository.resends import SKIP, rows_to_send
from shared.messaging.unit_of_work import UnitOfWork

ATTEMPT = 2
"""Not the first attempt; the classifier counts attempts for itself."""


class Resend(Parameters):
    """The system that is to send."""

    sender: Name | None = None
    """None: the system that sent the mailing."""


async def _resend(work: UnitOfWork, operation: StoredOperation, part: Part) -> AwaitedEvent | None:
    rows = await rows_to_send(work.connection, operation.tenant, part)
    await operations.skip_rows(work.connection, operation.no, [(row.seq, row.why) for row in rows if row.why])
    due = datetime.now(UTC)
    for row in rows:
        if row.why:
            continue
        sender = operation.parameters.get("sender") or row.sender or "default"
        data = RetryRequested(
            mailing=row.mailing,
            address=row.address,
            sender=sender,
            attempt=ATTEMPT,
            due=due,
            reason=Reason(row.reason or Reason.UNDETERMINED),
        )
        work.command(retry_requested(operation, row.seq, data), sender)
    return None


RESEND = OperationKind(apply=_resend, parameters=Resend, skip=SKIP, part_rows=COMMAND_ROWS, over_recipients=True)
