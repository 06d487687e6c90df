"""What a mail told: its reports, one for each recipient, and what is known of the message that was mailed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from returpost.bounces.frames import RemoteReply, unwrap
from returpost.bounces.mime.addresses import clean
from returpost.bounces.smtp_reply import codes_of
from returpost.contracts import Evidence, construct_trusted
from returpost.contracts.enums import Command, Kind, RecipientSource

MAX_RECIPIENTS = 10_000
"""Reports of one mail; RFC 5321 section 4.5.3.1.8 lets a message have more than 100."""

_FEEDBACK_TYPE = re.compile(r"^[a-z0-9-]{1,40}\Z")


NO_REPLY = RemoteReply("")
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Report(NamedTuple):
    """What the mail says of one recipient. `recipient` is the address that was mailed, normalised.

    `read_from` names where the diagnostic was read (a field, `prose`, `transcript`); `reply` is the remote server's
    own, without what the reporting server wrapped round it.
    """

    recipient: str
    original_recipient: str | None
    evidence: Evidence
    read_from: str = ""
    reply: RemoteReply = NO_REPLY


class ParsedMail(NamedTuple):
    """A mail that was read. `kind` is None when it is no report that is known; `reports` is empty when no recipient
    is told: both are for a person to look at. `original_headers` are those of the returned message, by lower-case
    name. `sender` is the system that sent it, `stream` the kind of mail, out of its headers `X-Returpost-Sender` and
    `X-Returpost-Stream`; `date` is when the report was written. `proven` says that a signed return path
    tells who was mailed. `readable` is false for bytes that have not one header field: no mail. `problem` says which
    stage gave up and why; empty when there are reports.
    """

    kind: Kind | None
    format: str
    reports: tuple[Report, ...] = ()
    message_id: str | None = None
    original_message_id: str | None = None
    original_headers: Mapping[str, str] = NO_HEADERS
    mailing: str | None = None
    sender: str | None = None
    stream: str | None = None
    date: datetime | None = None
    proven: bool = False
    readable: bool = True
    problem: str = ""


@dataclass(slots=True)
class Finding:
    """What a reader found of one recipient, before it is judged which address was mailed.

    `final` is who failed, `original` who was mailed, `source` where they were read. `unreadable` is what stands for an
    address in the report and is none; `read_from` names where `diagnostic` was read. `expanded` says that `original` is
    a list or an alias, and `final` one of the addresses that it stands for.
    """

    kind: Kind
    final: str | None = None
    original: str | None = None
    status: str | None = None
    diagnostic: str = ""
    remote_mta: str | None = None
    reporting_mta: str | None = None
    feedback_type: str | None = None
    source: RecipientSource | None = None
    unreadable: str = ""
    read_from: str = ""
    command: Command | None = None
    expanded: bool = False

    @property
    def named(self) -> bool:
        """Whether it names an address."""
        return bool(self.final or self.original)


class Named(NamedTuple):
    """An address, and where it was read."""

    recipient: str
    source: RecipientSource


def report_of(finding: Finding, format_: str, mailed: Named | None = None) -> Report | None:
    """Return the report, or None when it names no address.

    The address that was mailed is `mailed` if that is known, else the original recipient (RFC 3464 section 2.3.1),
    else the one that failed.
    """
    recipient = mailed.recipient if mailed else finding.original or finding.final
    if not recipient:
        return None
    original = recipient if finding.final and finding.final.lower() != recipient.lower() else None
    failure = finding.kind is Kind.FAILURE
    reply = unwrap(finding.diagnostic, (finding.final or recipient).lower()) if failure else NO_REPLY
    code, status = codes_of(reply.text if failure else finding.diagnostic)
    feedback = str(finding.feedback_type or "").lower()
    remote_mta = finding.remote_mta or reply.host
    source = RecipientSource.EXPANSION if finding.expanded else mailed.source if mailed else finding.source
    evidence = construct_trusted(
        Evidence,
        kind=finding.kind,
        reply_code=code if code and (code >= 400 or not failure) else None,
        status=_better(finding.status, status),
        diagnostic=clean(finding.diagnostic),
        remote_mta=clean(remote_mta, 300) if remote_mta else None,
        reporting_mta=clean(finding.reporting_mta, 300) if finding.reporting_mta else None,
        format=format_,
        feedback_type=feedback if _FEEDBACK_TYPE.match(feedback) else None,
        original_recipient=original,
        final_recipient=finding.final,
        command=reply.command or finding.command,
        recipient_source=source,
        provider=None,
        provider_codes=(),
        suppressed=False,
    )
    return Report(recipient, original, evidence, finding.read_from, reply)


def _better(stated: str | None, found: str | None) -> str | None:
    """Return the status that says more.

    What the host that refused said stands above what the reporting host made of it, unless that is "gave up" (x.4.7).
    """
    if stated and found and found[0] == stated[0] and not stated.endswith(".4.7") and not found.endswith(".0.0"):
        return found
    return stated or found
