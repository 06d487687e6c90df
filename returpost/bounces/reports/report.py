"""What a mail told: its reports, one for each recipient, and what is known of the message that was mailed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from returpost.bounces.mime.addresses import clean
from returpost.bounces.smtp_reply import codes_of
from returpost.contracts import Evidence, construct_trusted
from returpost.contracts.enums import Kind

MAX_RECIPIENTS = 1_000
"""Reports of one mail; RFC 5321 section 4.5.3.1.8 lets a message have more than 100."""

_FEEDBACK_TYPE = re.compile(r"^[a-z0-9-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Report:
    """What the mail says of one recipient. `recipient` is the address that was mailed, normalised."""

    recipient: str
    original_recipient: str | None
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail that was read. `kind` is None when it is no report that is known; `reports` is empty when no recipient
    is told: both are for a person to look at. `original_headers` are those of the returned message, by lower-case
    name. `sender` is the system that sent it, `stream` the kind of mail, out of its headers `X-Returpost-Sender` and
    `X-Returpost-Stream`; `date` is when the report was written. `proven` says that a signed return path
    tells who was mailed. `readable` is false for bytes that have not one header field: no mail.
    """

    kind: Kind | None
    format: str
    reports: tuple[Report, ...] = ()
    message_id: str | None = None
    original_message_id: str | None = None
    original_headers: Mapping[str, str] = field(default_factory=dict)
    mailing: str | None = None
    sender: str | None = None
    stream: str | None = None
    date: datetime | None = None
    proven: bool = False
    readable: bool = True


@dataclass(slots=True)
class Finding:
    """What a format found of one recipient, before it is judged which address was mailed."""

    kind: Kind
    final: str | None = None
    original: str | None = None
    status: str | None = None
    diagnostic: str = ""
    remote_mta: str | None = None
    reporting_mta: str | None = None
    feedback_type: str | None = None


def report_of(finding: Finding, format_: str, mailed: str | None = None) -> Report | None:
    """Return the report, or None when it names no address.

    The address that was mailed is the one of the return path (`mailed`, VERP) if there is one, else the original
    recipient (RFC 3464 section 2.3.1), else the one that failed.
    """
    recipient = mailed or finding.original or finding.final
    if not recipient:
        return None
    original = recipient if finding.final and finding.final.lower() != recipient.lower() else None
    code, status = codes_of(finding.diagnostic)
    feedback = str(finding.feedback_type or "").lower()
    evidence = construct_trusted(
        Evidence,
        kind=finding.kind,
        reply_code=code if code and (code >= 400 or finding.kind is not Kind.FAILURE) else None,
        status=_better(finding.status, status),
        diagnostic=clean(finding.diagnostic),
        remote_mta=clean(finding.remote_mta, 300) if finding.remote_mta else None,
        reporting_mta=clean(finding.reporting_mta, 300) if finding.reporting_mta else None,
        format=format_,
        feedback_type=feedback if _FEEDBACK_TYPE.match(feedback) else None,
        original_recipient=original,
        final_recipient=finding.final,
        command=None,
        recipient_source=None,
    )
    return Report(recipient, original, evidence)


def _better(stated: str | None, found: str | None) -> str | None:
    """Return the status that says more.

    What the host that refused said stands above what the reporting host made of it, unless that is "gave up" (x.4.7).
    """
    if stated and found and found[0] == stated[0] and not stated.endswith(".4.7") and not found.endswith(".0.0"):
        return found
    return stated or found
