"""From a notice to its findings: the first reader that finds any."""

from collections.abc import Mapping
from typing import NamedTuple

from returpost.bounces.notices import auto_replies, prose
from returpost.bounces.notices.notice import Notice
from returpost.bounces.reports import amazon_ses, from_prose, replies, rfc3464, rfc5965
from returpost.bounces.reports.report import Finding
from returpost.bounces.return_paths import Envelope
from returpost.contracts.enums import Kind, RecipientSource


class Findings(NamedTuple):
    """What a reader made of a notice. `kind` is what the notice is when it names nobody, `problem` what is missing;
    `original` are headers of the returned message that only this reader knows."""

    format: str
    found: list[Finding]
    kind: Kind | None = None
    problem: str = ""
    original: Mapping[str, str] | None = None


def read(notice: Notice, envelope: Envelope) -> Findings:
    """Return the findings of a notice."""
    read_ = _machine_readable(notice, envelope) or _prose(notice, envelope)
    if read_.kind is Kind.FAILURE or any(finding.kind is Kind.FAILURE for finding in read_.found):
        _mark_expanded(read_.found, notice)
        replies.add_from_transcript(read_.found, notice)
        replies.add_commands(read_.found, notice)
    return read_


def _mark_expanded(found: list[Finding], notice: Notice) -> None:
    """Mark what failed of a list or an alias. A person keeps the name when a host makes another address of it."""
    forwarded = [one for one in found if one.original and one.final and _local(one.original) != _local(one.final)]
    if forwarded and (lists := prose.expanded(notice.text)):
        for finding in forwarded:
            finding.expanded = (finding.original or "").lower() in lists


def _local(name: str) -> str:
    return name.rpartition("@")[0].lower()


def _machine_readable(notice: Notice, envelope: Envelope) -> Findings | None:
    if removed := rfc5965.of_outlook(notice):
        return Findings("outlook", removed)
    if notice.complaint:
        found = rfc5965.findings(notice.complaint, notice.original, notice.text)
        if not found and envelope.recipient:
            source = RecipientSource.SIGNED_RETURN_PATH if envelope.claim else RecipientSource.VERP
            found = [Finding(kind=Kind.COMPLAINT, final=envelope.recipient, source=source)]
        kind = rfc5965.kind_of(notice.complaint)
        return Findings("rfc5965", found, kind, "reports: the complaint names no recipient")
    if notice.statuses:
        found = [finding for part in notice.statuses for finding in rfc3464.findings(part, notice.subject)]
        if found and auto_replies.is_challenge_service(notice.root, notice.text):
            for finding in found:
                finding.kind = Kind.CHALLENGE
        unreadable = next((finding.unreadable for finding in found if finding.unreadable), "")
        kinds = [finding.kind for finding in found]
        if found := from_prose.complete(found, notice, envelope):
            return Findings("rfc3464", found)
        if unreadable:
            problem = f"reports: the report names {unreadable[:100]!r}, which is no address"
            return Findings("rfc3464", [], kinds[0], problem)
    if "notificationType" in notice.text or "eventType" in notice.text:
        found, headers = amazon_ses.findings(notice.text)
        if found:
            return Findings("amazon-ses", found, original=headers)
    return None


def _prose(notice: Notice, envelope: Envelope) -> Findings:
    recognised = notice.recognised
    if notice.is_failure_notice:
        if found := from_prose.findings(notice, envelope):
            return Findings(recognised.name, found)
        kind = Kind.DELAYED if recognised.delayed else Kind.DELIVERED if recognised.delivered else Kind.FAILURE
        return Findings(recognised.name, [], kind, "reports: the notice names no recipient that can be read")
    if notice.statuses:
        kinds = [finding.kind for part in notice.statuses for finding in rfc3464.findings(part, notice.subject)]
        kind = kinds[0] if kinds else Kind.FAILURE
        return Findings("rfc3464", [], kind, "reports: the report names no recipient that can be read")
    if notice.automatic:
        mailed = envelope.recipient
        found = auto_replies.findings(notice.root, notice.automatic, notice.text, mailed)
        return Findings("rfc3834", found, notice.automatic, "reports: the automatic answer names no author")
    return Findings(
        "unknown", [], problem="notice: neither a bounce nor a complaint nor an automatic reply was recognised in it"
    )
