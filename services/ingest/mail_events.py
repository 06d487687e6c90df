"""From a parsed mail to events: one bounce for each recipient that it reports on, and the result that it stands for."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from services.ingest.mail import ParsedMail
from services.ingest.normalise import received, recorded
from shared import ids
from shared.cloudevents import Event
from shared.contracts import DeliveryResult, Kind, Result

_RESULT_OF = {
    Kind.FAILURE: Result.BOUNCED,
    Kind.DELAYED: Result.DEFERRED,
    Kind.DELIVERED: Result.DELIVERED,
    Kind.COMPLAINT: Result.COMPLAINED,
    Kind.UNSUBSCRIBE: Result.UNSUBSCRIBED,
}
"""An automatic reply or a challenge says nothing of the delivery: it has a verdict, but no result."""


def events_of_mail(
    parsed: ParsedMail, *, identity: str, tenant: str, sender: str, now: datetime
) -> Iterator[Event[Any]]:
    """Yield the events of every report of the mail; the same bytes always make the same ids.

    What happened, happened when the report was written, so that a mail which is handed in again after a clear counts
    nothing; a report without a date, or with one that is to come, is of `now`.
    """
    time = min(parsed.date or now, now)
    mailing = mailing_of(parsed, identity)
    for n, report in enumerate(parsed.reports):
        cause = ids.derived(identity, "report", n)
        kind = report.evidence.kind
        result = DeliveryResult.model_construct(
            mailing=mailing,
            address=report.recipient,
            result=_RESULT_OF.get(kind, Result.BOUNCED),
            time=time,
            sender=sender,
            contact=None,
            attempt=None,
        )
        if kind in _RESULT_OF:
            yield recorded(cause, tenant, result)
        yield received(cause, tenant, result, report.evidence)


def mailing_of(parsed: ParsedMail, identity: str) -> str:
    """Return the mailing that the mail names, else one that stands for the message that was returned.

    Several reports on one message are one bounce; reports on unknown messages are one each.
    """
    if parsed.mailing:
        return parsed.mailing
    if parsed.original_message_id:
        digest = hashlib.sha256(parsed.original_message_id.encode(errors="replace")).hexdigest()[:24]
        return f"message-{digest}"
    return f"mail-{identity}"
