"""Delivery status notifications: RFC 3464, RFC 6533 (internationalised), and what calls itself one."""

import re
from collections.abc import Iterator, Sequence

from returpost.bounces.mime import tree
from returpost.bounces.mime.addresses import bare, clean, stated_address
from returpost.bounces.reports.report import MAX_RECIPIENTS, Finding
from returpost.contracts.enums import Kind, RecipientSource

_RECIPIENT_FIELDS = frozenset(("final-recipient", "original-recipient", "action", "status", "diagnostic-code"))
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})")
_FINAL = re.compile(r"(?im)^final-recipient[ \t]{0,9}:")
_ORIGINAL = re.compile(r"(?im)^original-recipient[ \t]{0,9}:")
_ACTION = re.compile(r"(?im)^action[ \t]{0,9}:")
_DIAGNOSTIC_TYPE = re.compile(r"(?i)^\s{0,9}(?:smtp|dns|x-?[a-z0-9._-]*|unknown|lmtp|local|system|rfc822|mts)\s*;\s*")
_ADDRESSES = ("x-actual-recipient", "x-failed-recipient")
_NAMING = ("final-recipient", "original-recipient")
_REPLIES = ("diagnostic-code", "x-supplementary-info", "x-smtp-diagnostic", "x-error", "x-display-reason")
"""Fields with the reply; IronPort writes the second."""
_DELIVERED = ("delivered", "relayed", "expanded")


def findings(part: tree.Part, subject: str = "") -> list[Finding]:
    """Return what the report says of each recipient; one that names no recipient is left out."""
    return of_text(_content(part), subject)


def of_text(text: str, subject: str = "") -> list[Finding]:
    """Return the findings of the text of a report."""
    reporting: str | None = None
    found: list[Finding] = []
    for fields in _groups(text):
        if name := fields.get("reporting-mta", ("",))[0]:
            reporting = _host(name)
        if _RECIPIENT_FIELDS.isdisjoint(fields):
            continue
        finding = _finding(fields, subject)
        finding.reporting_mta = reporting
        found.append(finding)
        if len(found) >= MAX_RECIPIENTS:
            break
    return found


def _content(part: tree.Part) -> str:
    # Some MTAs put the fields of a report into a message, or into a multipart of one part, within the part.
    inner = part.parts[0] if part.parts else part
    return inner.text


def _groups(text: str) -> Iterator[tree.Headers]:
    """Yield the fields of the message and of each recipient; stray empty lines do not part a recipient's fields."""
    pending: dict[str, Sequence[str]] = {}
    for block in _parted(text):
        fields = tree.headers(block)
        if not fields:
            continue
        if pending and any(name in fields and name in pending for name in _RECIPIENT_FIELDS):
            yield pending
            pending = {}
        pending = {**fields, **pending}
    if pending:
        yield pending


def _parted(text: str) -> Iterator[str]:
    """Yield what empty lines part, and the recipients that some MTAs write without one between."""
    for block in text.split("\n\n"):
        if block.lower().count("final-recipient") < 2:
            yield block
            continue
        starts = [found.start() for found in _FINAL.finditer(block)]
        if len(starts) < 2 or len(_ACTION.findall(block)) < 2:
            yield block
            continue
        first = _ORIGINAL.search(block)
        if first and first.start() < starts[0]:
            starts = [found.start() for found in _ORIGINAL.finditer(block)]
        yield block[: starts[0]]
        for start, end in zip(starts, [*starts[1:], len(block)], strict=True):
            yield block[start:end]


def _finding(fields: tree.Headers, subject: str) -> Finding:
    final, original = _address(fields, "final-recipient"), _address(fields, "original-recipient")
    status = _STATUS.search(fields.get("status", ("",))[0])
    stated = ".".join(str(int(number)) for number in status[1].split(".")) if status else None
    action = fields.get("action", ("",))[0].strip().lower()
    read_from, diagnostic = _diagnostic(fields)
    final = final or next((found for name in _ADDRESSES if (found := _address(fields, name))), None)
    named = (
        "" if final or original else next(filter(None, (bare(v) for name in _NAMING for v in fields.get(name, ()))), "")
    )
    return Finding(
        kind=_kind(action, stated, subject),
        final=final,
        original=original,
        source=RecipientSource.FINAL_RECIPIENT if final or original else None,
        unreadable=named,
        # "Failed" and a temporary status that says nothing more: the first is what was done.
        status=None if stated == "4.0.0" and action.startswith("fail") else stated,
        diagnostic=diagnostic,
        read_from=read_from,
        remote_mta=_host(fields.get("remote-mta", ("",))[0]),
    )


def _diagnostic(fields: tree.Headers) -> tuple[str, str]:
    """Return the name of the field that gives the reply, and the reply: the longest, where there are several."""
    for name in _REPLIES:
        if name not in fields:
            continue
        value = max(fields[name], key=len)
        typed = _DIAGNOSTIC_TYPE.match(value)
        if text := clean(value[typed.end() :] if typed else value):
            return name, text
    return "", ""


def _address(fields: tree.Headers, name: str) -> str | None:
    for value in fields.get(name, ()):
        if found := stated_address(value):
            return found
    return None


def _kind(action: str, status: str | None, subject: str) -> Kind:
    if action.startswith(_DELIVERED):
        return Kind.DELIVERED
    if action.startswith(("delay", "deferred")):
        return Kind.DELAYED
    if status and not action.startswith("fail"):
        if status[0] == "2":
            return Kind.DELIVERED
        if not action and status[0] == "4" and ("delay" in subject.lower() or "warning" in subject.lower()):
            return Kind.DELAYED
    return Kind.FAILURE


def _host(value: str) -> str | None:
    """Return the name of `dns; mx.example.com`."""
    name = value.rpartition(";")[2].strip()
    return clean(name, 300) or None
