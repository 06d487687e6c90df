"""Reply code and enhanced status out of the text of an SMTP reply, as it stands in logs, webhooks and reports.

Codes: RFC 5321 section 4.2; enhanced status: RFC 2034 section 4 and RFC 3463 section 2. All expressions are linear in
the length of the text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import re2

MAX_TEXT = 16_384
"""Characters that are looked at."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply says: `reply_code` 200 to 599, `status` such as `5.1.1`, `text` on one line without either."""

    reply_code: int | None
    status: str | None
    text: str


# Expressions that look at one place with bounded repeats are not RE2, which costs ten times as much a call.
_BOTH = re.compile(
    r"""(?<![^\s'"(<;:>\[,])([245]\d\d)[ \t:-]{1,3}\(?#?([245]\.\d{1,3}\.\d{1,3})(?=[^\d.]|\.[^\d]|\.?$)""",
    re.ASCII,
)
_FIRST = re.compile(
    r"\s{0,20}(?:smtp\s{0,9};\s{0,9})?([45][0-57]\d)(?:-|[ \t]{1,9}\(?#?[^\d\s]|:)", re.IGNORECASE | re.ASCII
)
_STATUS = re.compile(r"(?<![\w.@/])([245]\.\d{1,3}\.\d{1,3})(?=[^\d.\w/]|\.[^\d]|\.?$)", re.ASCII)
_DIGITS = re.compile(r"[245][0-57]\d")
_CODE = re2.compile(
    r"(?im)(?:^[ \t]*|<<< ?|[:;] ?['\"(\[]?|['\"(\[#]"
    r"|\b(?:code|error|returned|said|reply|response|responded|replied|status|smtp|with|was|reason|dsn)[ =]['\"]?)"
    r"([245][0-57]\d)(?:[ \t]*$|[ \t:'\")\],;-]|\.(?:\s|$))"
)
_STATUS_TAIL = re.compile(
    r"(?:version|postfix|exim|sendmail|qmail|release|microsoft smtp server|\bv|\bid)[ :/]{0,9}$", re.IGNORECASE
)
_UNIT = re2.compile(
    r"(?i)^[ \t-]*(?:\d{2,}\b|seconds?\b|secs?\b|minutes?\b|hours?\b|days?\b|bytes?\b|[km]b\b|times\b|attempts?\b)"
)
_CODE_AGAIN = re2.compile(r"^[ \t-]*[245]\d\d(?:[ \t-]|$)")
_CONTINUATION = re2.compile(r"^\s*([245]\d\d)[ -](?:([245]\.\d{1,3}\.\d{1,3})(?:\s|$))?")
_PREFIX = re2.compile(r"(?i)^\s*(?:smtp|x-[a-z0-9.-]+|dns|unknown)\s*;\s*")
_LEADING = re2.compile(
    r"^\s*(?:[245]\d\d(?:[ :-]+|$))?(?:[245]\d\d(?:[ :-]+|$))?(?:\(?#?[245]\.\d{1,3}\.\d{1,3}\)?(?:[ :-]+|$))?"
)


def parse_reply(text: str) -> Reply:
    """Return the reply code, the enhanced status and the text of one reply; what is not there is None.

    A code at the beginning wins, then a code and a status that stand together, then the first code in a place where a
    reply may stand, and a status of the same class. Numbers in addresses of hosts, versions, times and telephone
    numbers are no codes.
    """
    code, status = codes_of(text)
    return Reply(code, status, plain(text[:MAX_TEXT]))


def codes_of(text: str) -> tuple[int | None, str | None]:
    """Return the reply code and the enhanced status of one reply, as `parse_reply` does, without its words."""
    text = text[:MAX_TEXT]
    if first := _FIRST.match(text):
        code = int(first[1])
        return code, _status_of(text, code)
    both = next((found for found in _BOTH.finditer(text) if found[1][0] == found[2][0]), None)
    if both:
        return int(both[1]), _canonical(both[2])
    code_alone = _code_of(text)
    return code_alone, _status_of(text, code_alone)


def plain(text: str) -> str:
    """Return the words of a reply on one line: continuation lines joined, codes and the type prefix left out."""
    lines = _PREFIX.sub("", text).splitlines()
    first = _CONTINUATION.search(lines[0]) if lines else None
    words = []
    for number, line in enumerate(lines):
        again = _CONTINUATION.search(line) if number and first else None
        words.append(line[again.end() :] if again and first and again[1] == first[1] else line)
    return str(_LEADING.sub("", " ".join(" ".join(words).split())))


def _code_of(text: str) -> int | None:
    greeting = None
    if not _DIGITS.search(text):
        return None
    for found in _CODE.finditer(text):
        rest = text[found.end(1) : found.end(1) + 40]
        if not _CODE_AGAIN.search(rest) and _UNIT.search(rest):
            continue
        if found[1][0] != "2":
            return int(found[1])
        greeting = greeting or int(found[1])
    return greeting


def _status_of(text: str, code: int | None) -> str | None:
    other = None
    for status in _statuses(text):
        if code is None or int(status[0]) == code // 100:
            return status
        # A status of another class than its code belongs to another hop, unless there is no other.
        other = other or status
    return other


def _statuses(text: str) -> Iterator[str]:
    for found in _STATUS.finditer(text):
        start = found.start(1)
        if text[start - 1 : start] == "-" and not _DIGITS.fullmatch(text[max(0, start - 4) : start - 1]):
            continue
        if not _STATUS_TAIL.search(text[max(0, found.start(1) - 24) : found.start(1)]):
            yield _canonical(found[1])


def _canonical(status: str) -> str:
    return ".".join(str(int(part)) for part in status.split("."))
