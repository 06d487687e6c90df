"""One finding a recipient out of a notice in prose, and what only the prose tells of a machine-readable report."""

import re
from itertools import takewhile

from returpost.bounces.notices import families, prose
from returpost.bounces.notices.notice import Notice
from returpost.bounces.reports import recipients, rfc3464
from returpost.bounces.reports.replies import reply_in
from returpost.bounces.reports.report import Finding, Named
from returpost.bounces.return_paths import Envelope
from returpost.contracts.enums import Kind, RecipientSource

MAX_REPLY_LINES = 20
_HOST = re.compile(
    r"(?i)\b(?:host|server|while talking to|connected to|remote host)[ :]+([a-z0-9][a-z0-9.-]*\.[a-z0-9-]+)"
)
_BEFORE_HOST = ("host", "server", "talking to", "connected to")
"""One of these stands in all that `_HOST` finds."""


def findings(notice: Notice, envelope: Envelope) -> list[Finding]:
    """Return findings of a notice that has no machine-readable part, or one that is left in its text."""
    if "final-recipient:" in notice.text.lower():
        found = rfc3464.of_text(notice.text)
        if found and (completed := complete(found, notice, envelope)):
            return completed
    recognised = notice.recognised
    kind = Kind.DELAYED if recognised.delayed else Kind.DELIVERED if recognised.delivered else Kind.FAILURE
    told = _told(notice, envelope)
    rest = ""
    found = []
    for block, source in told:
        details = list(block.details)
        if not prose.telling(block.detail):
            rest = rest or prose.remainder(notice.text)
            details.append(rest)
        if len(told) == 1 and not prose.CODED.search("\n".join(details)):
            details += _coded_lines(notice.text)
        if recognised.format and recognised.format.reason:
            details.insert(0, families.line_of(recognised.format, notice.text))
        detail = "\n".join(details)[: prose.MAX_DETAIL]
        found.append(
            Finding(
                kind,
                block.recipient,
                block.generated_from,
                diagnostic=reply_in(detail, block.recipient),
                remote_mta=_host(detail),
                source=source,
                read_from="prose",
            )
        )
    return found


def complete(found: list[Finding], notice: Notice, envelope: Envelope) -> list[Finding]:
    """Add what only the prose tells: addresses that the fields lack, reasons that they give no words for."""
    wanting = [finding for finding in found if not finding.named]
    wordless = [finding for finding in found if not prose.telling(finding.diagnostic)]
    if not wanting and not wordless:
        return found
    if wanting:
        found = _with_names(found, wanting, notice, envelope)
        wordless = [finding for finding in found if not prose.telling(finding.diagnostic)]
    by_address = {block.recipient.lower(): block for block in notice.blocks}
    reason = families.reason_of(notice.text) if wordless else ""
    rest = ""
    for finding in wordless:
        block = by_address.get((finding.final or "").lower()) or by_address.get((finding.original or "").lower())
        if block and prose.telling(block.detail):
            words = reply_in(block.detail)
        else:
            words = rest = rest or reply_in(prose.remainder(notice.text))
        finding.diagnostic = _joined(finding.diagnostic, _joined(reason, words))
        finding.read_from = f"{finding.read_from}, prose".lstrip(", ")
        if block and block.generated_from and not finding.original:
            finding.original = block.generated_from
    return [finding for finding in found if finding.named]


def _told(notice: Notice, envelope: Envelope) -> list[tuple[prose.Block, RecipientSource]]:
    """Return whom the notice is about, and where that was read."""
    recognised = notice.recognised
    if recognised.format and recognised.format.alone:
        said = f"{notice.subject}\n{notice.text}"
        names = [name for name in prose.mentioned(said) if name.lower() not in notice.senders][:1]
        return [(prose.Block(name), RecipientSource.PROSE) for name in names]
    if stated := recipients.failed(notice):
        by_address = {block.recipient.lower(): block for block in notice.blocks}
        return [(by_address.get(name.lower()) or prose.Block(name), source) for name, source in stated]
    if notice.blocks:
        return [(block, RecipientSource.PROSE) for block in notice.blocks]
    return [(prose.Block(name), source) for name, source in recipients.otherwise(notice, envelope)[:1]]


def _with_names(found: list[Finding], wanting: list[Finding], notice: Notice, envelope: Envelope) -> list[Finding]:
    """Name those that the fields do not name; what they name and nobody can read is completed or left."""
    taken = {name.lower() for finding in found for name in (finding.final, finding.original) if name}
    for finding in wanting:
        if finding.unreadable and (named := recipients.completing(finding.unreadable, notice)):
            _name(finding, named)
            taken.add(named.recipient.lower())
    left = [finding for finding in wanting if not finding.named]
    stated = [
        *recipients.failed(notice),
        *(Named(block.recipient, RecipientSource.PROSE) for block in notice.blocks),
    ]
    names = [named for named in _distinct(stated) if named.recipient.lower() not in taken]
    if not names and left:
        unstated = all(not finding.unreadable for finding in left)
        if unstated or envelope.recipient:
            others = recipients.otherwise(notice, envelope)[: len(left)]
            names = [named for named in others if named.recipient.lower() not in taken]
    if len(left) == 1 and len(names) > 1 and not left[0].unreadable:
        # One report for all that the notice names.
        (only,) = left
        copies = [Finding(**{name: getattr(only, name) for name in only.__slots__}) for _ in names[1:]]
        found = [*found, *copies]
        left = [only, *copies]
    for finding, named in zip(left, names, strict=False):
        _name(finding, named)
    return found


def _name(finding: Finding, named: Named) -> None:
    finding.final, finding.source = named


def _distinct(names: list[Named]) -> list[Named]:
    found: dict[str, Named] = {}
    for named in names:
        found.setdefault(named.recipient.lower(), named)
    return list(found.values())


def _joined(diagnostic: str, words: str) -> str:
    return f"{diagnostic}\n{words}".strip() if words and words not in diagnostic else diagnostic


def _coded_lines(text: str) -> list[str]:
    """Return the first lines that have the code of a reply, with what follows them up to an empty line."""
    lines = text.split("\n")[:500]
    for start, line in enumerate(lines):
        if prose.CODED.search(line[:1000].strip()):
            return list(takewhile(bool, (said[:1000].strip() for said in lines[start : start + MAX_REPLY_LINES])))
    return []


def _host(detail: str) -> str | None:
    lowered = detail.lower()
    if not any(word in lowered for word in _BEFORE_HOST):
        return None
    found = _HOST.search(detail)
    return found[1] if found else None
