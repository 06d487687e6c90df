"""From the bytes of a mail to its reports: which reader takes it, and what they have in common."""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import re2

from returpost.bounces.mime import tree
from returpost.bounces.mime.addresses import address
from returpost.bounces.notices import auto_replies, bounce_detection, families, original_message
from returpost.bounces.reports import amazon_ses, prose, rfc3464, rfc5965, smtp_command
from returpost.bounces.reports.report import Finding, ParsedMail, Report, report_of
from returpost.bounces.return_paths import ReturnPaths
from returpost.contracts.enums import Kind

UNSIGNED = ReturnPaths()
MAX_NESTING = 3
"""Mails within mails that are looked into: a report that somebody forwarded as an attachment."""

_LINE_TAG = re2.compile(r"(?i)<(?:br|/p|/div|/tr|/li|/h[1-6]|/td|hr)\b[^>]*>")
_HIDDEN = re2.compile(r"(?is)<(?:style|script|head)\b.*?</(?:style|script|head)>|<!--.*?-->")
_TAG = re2.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^>]*)?/?>")


def parse(body: bytes, paths: ReturnPaths = UNSIGNED, sent_to: Sequence[str] = ()) -> ParsedMail:
    """Return what the mail reports. Never raises, and takes bounded time and memory, whatever the bytes are.

    `paths` says how return paths are read; `sent_to` are the addresses that the mail was received for, as SMTP told.
    """
    return _parse(tree.read(body), paths, sent_to, 0)


def _parse(root: tree.Part, paths: ReturnPaths, sent_to: Sequence[str], nesting: int) -> ParsedMail:
    notice, copy = prose.cut(readable(root))
    original = original_message.headers_of(root)
    if not original and copy:
        original = original_message.flat(tree.headers(copy.partition("\n\n")[0]))
    envelope = original_message.envelope_of(root, original, paths, sent_to)
    if envelope.claim:
        envelope = envelope.among(original_message.mailings_of(original), _all_named(root, notice, original))
    if nesting < MAX_NESTING and _holds_report(root) and (inner := _forwarded(root, paths, sent_to, nesting)):
        return inner
    format_, findings, original = _findings(root, notice, original, envelope.recipient)
    if not findings and nesting < MAX_NESTING and (inner := _forwarded(root, paths, sent_to, nesting)):
        return inner
    return ParsedMail(
        kind=_kind(findings) or _kind_of_complaint(root),
        format=format_,
        reports=smtp_command.told(_reports(findings, format_, envelope.recipient), notice),
        message_id=original_message.message_id(root.header("message-id")),
        original_message_id=original_message.message_id(original.get("message-id", "") or root.header("in-reply-to")),
        original_headers=original,
        mailing=original_message.mailing_of(original, envelope),
        sender=original_message.sender_of(original),
        stream=original_message.stream_of(original),
        date=original_message.date_of(root.header("date")),
        proven=bool(envelope.claim and envelope.recipient),
        readable=bool(root.headers),
    )


def readable(root: tree.Part) -> str:
    """Return the text that stands before the returned message; HTML only where there is no plain text."""
    plain, rich = [], []
    for part in root.walk():
        if part.content_type in original_message.MESSAGE_TYPES or part.content_type in original_message.HEADER_TYPES:
            break
        if part.content_type == "text/html":
            rich.append(part)
        elif part.content_type.startswith("text/") or (part.content_type.startswith("multipart/") and not part.parts):
            plain.append(part)
    text = "\n".join(part.text for part in plain[:4])
    return text if text.strip() else "\n".join(unmarked(part.text) for part in rich[:2])


def unmarked(text: str) -> str:
    """Return the text of HTML: no tags, a line for each block. An address in angle brackets is no tag."""
    return html.unescape(_TAG.sub("", _LINE_TAG.sub("\n", _HIDDEN.sub("", text))))


def _findings(
    root: tree.Part, notice: str, original: dict[str, str], mailed: str | None
) -> tuple[str, list[Finding], dict[str, str]]:
    """Return the format, the findings, and the returned message's headers, by the first reader that finds any."""
    subject = root.header("subject")
    if removed := rfc5965.of_outlook(root):
        return "outlook", removed, original
    if complaint := rfc5965.part_of(root):
        return "rfc5965", rfc5965.findings(complaint, original, notice) or _unnamed(mailed), original
    if statuses := rfc3464.parts_of(root):
        found = [finding for status in statuses for finding in rfc3464.findings(status, subject)]
        if found := _completed(found, root, notice, original, mailed):
            return "rfc3464", found, original
    if "notificationType" in notice or "eventType" in notice:
        found, headers = amazon_ses.findings(notice)
        if found:
            return "amazon-ses", found, headers
    recognised = families.recognise(f"{subject}\n{_QUOTED.sub('', notice[:16384])}")
    automatic = auto_replies.kind_of(root, subject, notice)
    if bounce_detection.is_notice(root, notice, original, recognised, automatic):
        found = _of_prose(root, notice, original, mailed, recognised)
        if found:
            return recognised.name, found, original
    if automatic:
        return "rfc3834", auto_replies.findings(root, automatic, notice, mailed), original
    return "unknown", [], original


def _unnamed(mailed: str | None) -> list[Finding]:
    return [Finding(kind=Kind.COMPLAINT, final=mailed)] if mailed else []


def _completed(
    found: list[Finding], root: tree.Part, notice: str, original: Mapping[str, str], mailed: str | None
) -> list[Finding]:
    """Add what only the prose tells: addresses that the fields lack, reasons that they give no words for."""
    wanting = [finding for finding in found if not (finding.final or finding.original)]
    wordless = [finding for finding in found if not prose.telling(finding.diagnostic)]
    if not wanting and not wordless:
        return found
    told = prose.blocks(notice)
    by_address = {block.recipient.lower(): block for block in told}
    if wanting:
        names = list(
            dict.fromkeys((*_failed(root), *(block.recipient for block in told), *_fallback(notice, original, mailed)))
        )
        taken = {finding.final for finding in found}
        names = [name for name in names if name not in taken]
        for finding, name in zip(wanting, names, strict=False):
            finding.final = name
    reason = families.reason_of(notice) if wordless else ""
    for finding in wordless:
        block = by_address.get((finding.final or "").lower()) or by_address.get((finding.original or "").lower())
        words = block.detail if block and prose.telling(block.detail) else prose.remainder(notice)
        finding.diagnostic = _joined(finding.diagnostic, _joined(reason, words))
        if block and block.generated_from and not finding.original:
            finding.original = block.generated_from
    return [finding for finding in found if finding.final or finding.original]


def _joined(diagnostic: str, words: str) -> str:
    return f"{diagnostic}\n{words}".strip() if words and words not in diagnostic else diagnostic


def _of_prose(
    root: tree.Part, notice: str, original: Mapping[str, str], mailed: str | None, recognised: families.Recognised
) -> list[Finding]:
    """Return findings of a notice that has no machine-readable part, or one that is left in its text."""
    if "final-recipient:" in notice.lower():
        found = rfc3464.of_text(notice)
        if found and (completed := _completed(found, root, notice, original, mailed)):
            return completed
    kind = Kind.DELAYED if recognised.delayed else Kind.DELIVERED if recognised.delivered else Kind.FAILURE
    told = [block for block in prose.blocks(notice) if block.recipient.lower() not in _senders(root, original)]
    if recognised.format and recognised.format.alone:
        told = [prose.Block(name) for name in list(prose.mentioned(notice))[:1]]
    elif failed := _failed(root):
        by_address = {block.recipient: block for block in told}
        told = [by_address.get(name) or prose.Block(name) for name in failed]
    elif not told:
        told = [prose.Block(name) for name in _fallback(notice, original, mailed)[:1]]
    rest = ""
    found = []
    for block in told:
        if not prose.telling(block.detail):
            rest = rest or prose.remainder(notice)
            block.details.append(rest)
        if len(told) == 1 and not prose.CODED.search(block.detail):
            block.details += _coded_lines(notice)
        if recognised.format and recognised.format.reason:
            block.details.insert(0, families.line_of(recognised.format, notice))
        host = _host(block.detail)
        found.append(Finding(kind, block.recipient, block.generated_from, None, block.detail, remote_mta=host))
    return found


def _coded_lines(notice: str) -> list[str]:
    """Return the first lines that have the code of a reply."""
    lines = (line[:1000] for line in notice.split("\n")[:500])
    return list(islice((line.strip() for line in lines if prose.CODED.search(line)), 3))


def _fallback(notice: str, original: Mapping[str, str], mailed: str | None) -> list[str]:
    """Return recipients when no line names one: the return path's, those that text and message share, the first."""
    if mailed:
        return [mailed]
    sent_to = list(dict.fromkeys(original_message.recipients_of(original)))
    if len(sent_to) == 1:
        return sent_to
    named = list(dict.fromkeys(prose.mentioned(notice)))
    senders = {address(original.get(name, "")) for name in ("from", "return-path", "sender", "reply-to")}
    shared = [name for name in named if name in sent_to]
    return shared or sent_to or [name for name in named if name not in senders]


def _failed(root: tree.Part) -> list[str]:
    values = [value for name in bounce_detection.FAILED_HEADERS for value in root.headers.get(name, ())]
    return list(
        dict.fromkeys(found for value in values for text in value.split(",")[:1000] if (found := address(text)))
    )


def _senders(root: tree.Part, original: Mapping[str, str]) -> set[str]:
    """Return addresses that cannot have failed: who reports and whom it is reported to, unless they were mailed."""
    own = {address(root.header("from")), address(root.header("to"))} - set(original_message.recipients_of(original))
    return {name.lower() for name in own if name}


def _host(detail: str) -> str | None:
    found = _HOST.search(detail)
    return found[1] if found else None


_QUOTED = re.compile(r"(?m)^(?:>|> .*)$")
"""Lines that somebody quotes; `>>>` is what an MTA said."""
_HOST = re.compile(
    r"(?i)\b(?:host|server|while talking to|connected to|remote host)[ :]+([a-z0-9][a-z0-9.-]*\.[a-z0-9-]+)"
)


def _all_named(root: tree.Part, notice: str, original: Mapping[str, str]) -> Iterator[str]:
    """Yield every address that the report or the returned message names, to be compared with a hash."""
    for status in rfc3464.parts_of(root):
        for finding in rfc3464.findings(status):
            yield from (named for named in (finding.original, finding.final) if named)
    yield from original_message.recipients_of(original)
    yield from prose.mentioned(notice)


def _holds_report(root: tree.Part) -> bool:
    """Say whether the mail is no report itself, and holds a message that is one."""
    if root.content_type == "multipart/report" or rfc3464.parts_of(root) or rfc5965.part_of(root):
        return False
    return any(part.message.content_type == "multipart/report" for part in original_message.messages_of(root))


def _forwarded(root: tree.Part, paths: ReturnPaths, sent_to: Sequence[str], nesting: int) -> ParsedMail | None:
    """Read the report that somebody has sent on, unless it told him of a message of his own."""
    author = address(root.header("from"))
    to = (address(root.header("to")) or "").rpartition("@")[2]
    foreign = author and "<>" not in root.header("return-path") and author.rpartition("@")[2] != to
    for part in original_message.messages_of(root):
        if foreign and address(part.message.header("to")) == author:
            continue
        inner = _parse(part.message, paths, sent_to, nesting + 1)
        if inner.reports:
            return inner
    return None


def _kind_of_complaint(root: tree.Part) -> Kind | None:
    """Return the kind of a complaint whose recipient the provider has blacked out."""
    complaint = rfc5965.part_of(root)
    return rfc5965.kind_of(complaint) if complaint else None


def _kind(findings: list[Finding]) -> Kind | None:
    kinds = [finding.kind for finding in findings]
    return Kind.FAILURE if Kind.FAILURE in kinds else kinds[0] if kinds else None


def _reports(findings: list[Finding], format_: str, mailed: str | None) -> tuple[Report, ...]:
    sole = mailed if len(findings) == 1 else None
    found = [report for finding in findings if (report := report_of(finding, format_, sole))]
    unique = {(report.recipient.lower(), report.evidence.final_recipient): report for report in found}
    return tuple(unique.values())
