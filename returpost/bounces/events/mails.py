"""From the bytes of a mail to events, the same for every way in: one bounce for each recipient that it reports on, and
the result that it stands for; or why nothing could be made of it.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from returpost.bounces import ParsedMail, ReturnPaths, parse
from returpost.bounces.events.results import Derived, derive
from returpost.contracts import DeliveryResult, Kind, Result, ids

_RESULT_OF = {
    Kind.FAILURE: Result.BOUNCED,
    Kind.DELAYED: Result.DEFERRED,
    Kind.DELIVERED: Result.DELIVERED,
    Kind.COMPLAINT: Result.COMPLAINED,
    Kind.UNSUBSCRIBE: Result.UNSUBSCRIBED,
}
"""An automatic reply or a challenge says nothing of the delivery: it has a verdict, but no result."""


@dataclass(frozen=True, slots=True)
class MailRead:
    """A mail that was read. `problem` says why it has no events; then its bytes are to be kept."""

    identity: str
    parsed: ParsedMail
    events: tuple[Derived, ...]
    outcome: str
    problem: str | None


def read_mail(
    body: bytes,
    *,
    tenant: str,
    sender: str | None,
    now: datetime,
    paths: ReturnPaths,
    sent_to: Sequence[str] = (),
    stream: str | None = None,
) -> MailRead:
    """Read a mail, whatever its bytes are. Never raises, and does no I/O.

    `sender` is the system that sent the message that came back; without it, the message tells, else it is `default`.
    `stream` is what kind of mail it was; without it, the message tells.
    `paths` is how this tenant's return paths are read, `sent_to` the addresses that the mail was received for (SMTP).
    """
    identity = ids.of_bytes(tenant, body)
    parsed = parse(body, paths, sent_to)
    sent_by = sender or parsed.sender or "default"
    told = events_of_mail(parsed, identity=identity, sender=sent_by, now=now, stream=stream or parsed.stream)
    events = tuple(told)
    if events and parsed.kind:
        return MailRead(identity, parsed, events, parsed.kind.value, None)
    if parsed.kind:
        return MailRead(identity, parsed, (), "no-recipient", f"mail: a {parsed.kind} report that names no recipient")
    if parsed.readable:
        problem = "mail: neither a bounce nor a complaint nor an automatic reply was recognised in it"
        return MailRead(identity, parsed, (), "no-report", problem)
    return MailRead(identity, parsed, (), "unreadable", "mail: unreadable, it has neither a header nor text")


def events_of_mail(
    parsed: ParsedMail, *, identity: str, sender: str, now: datetime, stream: str | None = None
) -> Iterator[Derived]:
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
            stream=stream,
        )
        yield from derive(cause, result, report.evidence, is_result=kind in _RESULT_OF)


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
