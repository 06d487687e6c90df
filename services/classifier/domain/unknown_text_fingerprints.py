"""Texts that no rule knows, without what differs between bounces: addresses, hosts, ids, numbers."""

import hashlib
import re
from dataclasses import dataclass

from returpost.contracts import Evidence, Reason, Verdict

UNDECIDED_BY = ("tables.", "fallback.")
"""What decides when no rule knows the words: the tables of codes, nothing at all, or a guess by noun and verb."""
MAX_TEXT = 400
"""Characters of a text: what tells texts apart stands at their beginning."""
MAX_READ = 2_000

_CODES = re.compile(r"^\W*([245]\d\d)?(?:[ -]|$)(?:\W*([245]\.\d{1,3}\.\d{1,3}))?")
# One pass, the most particular first. No alternative can match what another has begun: linear in the text's length.
_VARIABLE = re.compile(
    r"(?P<url>https?://[^\s>\"')]{1,300})"
    r"|(?P<address><?[^\s<>@:;,()\[\]\"']{1,64}@[^\s<>@:;,()\[\]\"']{1,255}>?)"
    r"|(?P<ip>\[?\b(?:\d{1,3}\.){3}\d{1,3}\b\]?|\b[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,7}\b)"
    r"|(?P<host>\b(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.){1,8}[a-z][a-z0-9-]{1,62}\b)"
    r"|(?P<id>\b(?=[a-z0-9_=+/-]{0,80}\d)[a-z0-9_=+/-]{8,80}\b|\b[0-9a-f]{12,64}\b)"
    r"|(?P<number>\d{1,40})",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class UnknownText:
    """A text that many bounces share, and the fingerprint that it is counted by."""

    fingerprint: bytes
    text: str


def fingerprint(text: str) -> UnknownText | None:
    """Return a text with its variable parts replaced, or None when there are no words in it.

    Reply code and enhanced status stay: they are what the next rule may look at. Case and white space do not count.
    """
    line = _SPACE.sub(" ", text[:MAX_READ]).strip().lower()
    codes = _CODES.match(line)
    said = " ".join(filter(None, codes.groups())) if codes else ""
    rest = line[codes.end() :] if codes and said else line
    words = _SPACE.sub(" ", _VARIABLE.sub(lambda found: f"<{found.lastgroup}>", rest)).strip()
    if not re.search(r"[^\W\d_]{2}", re.sub(r"<[a-z]+>", "", words)):
        return None
    shown = f"{said} {words}".strip()[:MAX_TEXT]
    return UnknownText(hashlib.sha256(shown.encode()).digest()[:16], shown)


def unknown_text(evidence: Evidence, verdict: Verdict) -> UnknownText | None:
    """Return the text when no rule knew it: a code alone decided, a guess, or nothing."""
    if verdict.reason is not Reason.UNDETERMINED and not verdict.rule.startswith(UNDECIDED_BY):
        return None
    return fingerprint(evidence.diagnostic)
