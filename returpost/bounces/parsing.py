"""From the bytes of a mail to its reports, in stages, each a function of what the one before returned.

bytes -> structure (`mime.tree`) -> notice (`notices.notice`) -> findings (`reports.read`) -> one report a recipient,
each with the remote server's reply taken out of its frame (`frames`). The verdict on a report is `verdict.classify`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from returpost.bounces.mime import tree
from returpost.bounces.mime.addresses import address
from returpost.bounces.notices import notice as notices, original_message
from returpost.bounces.notices.notice import Notice
from returpost.bounces.reports import recipients, rfc3464
from returpost.bounces.reports.read import Findings, read as read_findings
from returpost.bounces.reports.report import MAX_RECIPIENTS, Finding, ParsedMail, Report, report_of
from returpost.bounces.return_paths import Envelope, ReturnPaths
from returpost.contracts.enums import Kind

UNSIGNED = ReturnPaths()
MAX_DESCRIBED = 100
MAX_NESTING = 3
"""Mails within mails that are looked into: a report that somebody forwarded as an attachment."""


class Stages(NamedTuple):
    """What each stage made of a mail."""

    root: tree.Part
    notice: Notice
    findings: Findings
    mail: ParsedMail


def parse(body: bytes, paths: ReturnPaths = UNSIGNED, sent_to: Sequence[str] = ()) -> ParsedMail:
    """Return what the mail reports. Never raises for bytes, and takes bounded time and memory, whatever they are.

    `paths` says how return paths are read; `sent_to` are the addresses that the mail was received for, as SMTP told.
    """
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError(f"parse takes the bytes of a mail, as Path.read_bytes() gives, not {type(body).__name__}")
    return stages(body, paths, sent_to).mail


def stages(body: bytes, paths: ReturnPaths = UNSIGNED, sent_to: Sequence[str] = ()) -> Stages:
    """Return the same with what each stage made of it; of a forwarded report, the stages are of that one."""
    return _stages(tree.read(body), paths, sent_to, 0)


def _stages(root: tree.Part, paths: ReturnPaths, sent_to: Sequence[str], nesting: int) -> Stages:
    notice = notices.read(root)
    envelope = _envelope(notice, paths, sent_to)
    if nesting < MAX_NESTING and _holds_report(notice) and (inner := _forwarded(notice, paths, sent_to, nesting)):
        return inner
    findings = read_findings(notice, envelope)
    if not findings.found and nesting < MAX_NESTING and (inner := _forwarded(notice, paths, sent_to, nesting)):
        return inner
    return Stages(root, notice, findings, _mail(notice, envelope, findings))


def _envelope(notice: Notice, paths: ReturnPaths, sent_to: Sequence[str]) -> Envelope:
    envelope = recipients.envelope_of(notice.root, notice.original, paths, sent_to)
    if not envelope.claim:
        return envelope
    found = (finding for part in notice.statuses for finding in rfc3464.findings(part))
    stated = [named for finding in found for named in (finding.original, finding.final) if named]
    return envelope.among(original_message.mailings_of(notice.original), recipients.all_named(notice, stated))


def _mail(notice: Notice, envelope: Envelope, findings: Findings) -> ParsedMail:
    root = notice.root
    original = findings.original if findings.original is not None else notice.original
    reports = _reports(notice, envelope, findings)
    problem = "" if reports else findings.problem
    return ParsedMail(
        kind=_kind(findings.found) or findings.kind,
        format=findings.format,
        reports=reports,
        message_id=original_message.message_id(root.header("message-id")),
        original_message_id=original_message.message_id(original.get("message-id", "") or root.header("in-reply-to")),
        original_headers=original,
        mailing=original_message.mailing_of(original, envelope),
        sender=original_message.sender_of(original),
        stream=original_message.stream_of(original),
        date=original_message.date_of(root.header("date")),
        proven=bool(envelope.claim and envelope.recipient),
        readable=bool(root.headers),
        problem=problem if root.headers else "structure: the bytes have neither a header nor text of a mail",
    )


def _reports(notice: Notice, envelope: Envelope, findings: Findings) -> tuple[Report, ...]:
    """Return one report a recipient. A return path tells who was mailed, if one alone failed."""
    mailed = recipients.mailed_by(notice, envelope) if len(findings.found) == 1 else None
    if mailed and mailed.recipient.lower() in {(findings.found[0].final or "").lower(), findings.found[0].original}:
        mailed = mailed if envelope.claim else None
    unique: dict[str, Report] = {}
    for finding in findings.found[:MAX_RECIPIENTS]:
        if report := report_of(finding, findings.format, mailed):
            known = unique.get(report.recipient.lower())
            if known is None or (_weight(report) > _weight(known)):
                unique[report.recipient.lower()] = report
    return tuple(unique.values())


def _weight(report: Report) -> tuple[bool, bool]:
    """Return what counts of two reports on one recipient: a failure before a delay, one with words before others."""
    return report.evidence.kind is Kind.FAILURE, bool(report.evidence.diagnostic)


def described(made: Stages) -> dict[str, Any]:
    """Return what each stage made of the mail: structure, notice, and each report with where it was read."""
    notice, mail = made.notice, made.mail
    return {
        "structure": [f"{'  ' * part.depth}{part.content_type}, {len(part.body)} bytes" for part in made.root.walk()],
        "notice": {
            "kind": mail.kind,
            "read_as": mail.format,
            "from": notice.author or None,
            "subject": notice.subject[:200],
            "reporting_mta": next((r.evidence.reporting_mta for r in mail.reports if r.evidence.reporting_mta), None),
            "machine_readable_parts": len(notice.statuses) + (notice.complaint is not None),
            "returned_message": bool(notice.original),
        },
        "reports": [
            {
                "recipient": report.recipient,
                "recipient_read_from": report.evidence.recipient_source,
                "final_recipient": report.evidence.final_recipient,
                "diagnostic_read_from": report.read_from or None,
                "frames": list(report.reply.frames),
                "reply": report.reply.text or None,
                "host": report.evidence.remote_mta,
                "command": report.evidence.command,
                "reply_code": report.evidence.reply_code,
                "status": report.evidence.status,
            }
            for report in mail.reports[:MAX_DESCRIBED]
        ],
        "problem": mail.problem or None,
    }


def _kind(found: Sequence[Finding]) -> Kind | None:
    kinds = [finding.kind for finding in found]
    return Kind.FAILURE if Kind.FAILURE in kinds else kinds[0] if kinds else None


def _holds_report(notice: Notice) -> bool:
    """Say whether the mail is no report itself, and holds a message that is one."""
    if notice.root.content_type == "multipart/report" or notice.statuses or notice.complaint:
        return False
    return any(part.message_type == "multipart/report" for part in original_message.messages_of(notice.root))


def _forwarded(notice: Notice, paths: ReturnPaths, sent_to: Sequence[str], nesting: int) -> Stages | None:
    """Read the report that somebody has sent on, unless it told him of a message of his own."""
    root = notice.root
    author = address(root.header("from"))
    to = (address(root.header("to")) or "").rpartition("@")[2]
    foreign = author and "<>" not in root.header("return-path") and author.rpartition("@")[2] != to
    for part in original_message.messages_of(root):
        if foreign and address(part.message.header("to")) == author:
            continue
        inner = _stages(part.message, paths, sent_to, nesting + 1)
        if inner.mail.reports:
            return inner
    return None
