"""Delivery status notifications: RFC 3464, RFC 6533 (internationalised), and what calls itself one."""

import re
from collections.abc import Iterator, Sequence

from returpost.bounces.mime import tree
from returpost.bounces.mime.addresses import address, clean
from returpost.bounces.reports.report import MAX_RECIPIENTS, Finding
from returpost.contracts.enums import Kind

TYPES = ("message/delivery-status", "message/global-delivery-status")

_RECIPIENT_FIELDS = frozenset(("final-recipient", "original-recipient", "action", "status", "diagnostic-code"))
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})")
_ATTACHED = ("application/octet-stream", "text/plain", "text/rfc822-headers", "message/report")
_FIRST_FIELD = re.compile(rb"(?i)\s{0,20}reporting-mta[ \t]{0,9}:")
_FINAL = re.compile(r"(?im)^final-recipient[ \t]{0,9}:")
_ORIGINAL = re.compile(r"(?im)^original-recipient[ \t]{0,9}:")
_ACTION = re.compile(r"(?im)^action[ \t]{0,9}:")
_DIAGNOSTIC_TYPE = re.compile(r"(?i)^\s{0,9}(?:smtp|dns|x-?[a-z0-9._-]*|unknown|lmtp|local|system|rfc822|mts)\s*;\s*")
_ADDRESSES = ("x-actual-recipient", "x-failed-recipient")
_DELIVERED = ("delivered", "relayed", "expanded")


def parts_of(root: tree.Part) -> list[tree.Part]:
    """Return the parts with the machine-readable report, none of a message within; some MTAs make one a recipient."""
    parts = root.walk()
    return [part for part in parts if part.content_type in TYPES] or [part for part in parts if _is_unlabelled(part)]


def _is_unlabelled(part: tree.Part) -> bool:
    """Say whether the part is a report that a gateway has made a plain attachment of (`details.txt`)."""
    if part.parts or "content-disposition" not in part.headers or part.content_type not in _ATTACHED:
        return False
    return bool(_FIRST_FIELD.match(part.data))


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
        if pending and pending.keys() & fields.keys() & _RECIPIENT_FIELDS:
            yield pending
            pending = {}
        pending |= {name: value for name, value in fields.items() if name not in pending}
    if pending:
        yield pending


def _parted(text: str) -> Iterator[str]:
    """Yield what empty lines part, and the recipients that some MTAs write without one between."""
    for block in text.split("\n\n"):
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
    code = max(fields.get("diagnostic-code", ("",)), key=len)
    return Finding(
        kind=_kind(fields.get("action", ("",))[0].strip().lower(), stated, subject),
        final=final or next((found for name in _ADDRESSES if (found := _address(fields, name))), None),
        original=original,
        status=stated,
        diagnostic=clean(_DIAGNOSTIC_TYPE.sub("", code)),
        remote_mta=_host(fields.get("remote-mta", ("",))[0]),
    )


def _address(fields: tree.Headers, name: str) -> str | None:
    return next((found for value in fields.get(name, ()) if (found := address(value))), None)


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
