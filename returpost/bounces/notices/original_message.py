"""What is known of the message that was mailed, and which mailing it was of.

The mailing is, in this order: what a signed return path proves; the returned message's header `X-Returpost-Mailing`,
then `X-Mailing-Id`; the first field of `Feedback-ID` (Google's postmaster documentation: campaign, customer, mail type,
sender); the middle of a return path such as `bounces+<mailing>+user=example.com@` that the report was sent to (VERP).
Else it is not told.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import re2

from returpost.bounces.mime import charsets, tree
from returpost.bounces.mime.addresses import address
from returpost.bounces.return_paths import Envelope

MESSAGE_TYPES = ("message/rfc822", "message/global")
HEADER_TYPES = ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
_FILE = "application/octet-stream"
SENDER_FIELDS = ("from", "return-path", "sender", "reply-to", "errors-to", "x-sender", "resent-from")
LIST_FIELDS = ("list-id", "list-post", "mailing-list", "x-mailing-list")
"""Of a message that went through a list, whose address stands in To."""
_ID = re.compile(r"^[^\x00-\x1f\x7f]{1,200}$")
_SENDER = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
_DATE = re.compile(
    r"\s{0,9}(?:[A-Za-z]{3}, {1,9})?([0-9]{1,2}) {1,9}([A-Za-z]{3}) {1,9}([0-9]{4}) {1,9}"
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))? {1,9}([+-])([0-9]{2})([0-9]{2})"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FOR = re2.compile(r"\bfor\s+<?([^\s<>;]+@[^\s<>;]+)>?")


_FURTHEST = 15
"""Hours from Greenwich; no zone is further."""
EARLIEST_YEAR = 2000
"""A date from before that is a clock that was never set."""


def headers_of(root: tree.Part) -> dict[str, str]:
    """Return the headers of the message that the parts return, by lower-case name; empty when there is none."""
    for part in root.walk():
        if part.content_type in MESSAGE_TYPES or part.content_type in HEADER_TYPES:
            return flat(part.message_headers)
    return {}


def messages_of(root: tree.Part) -> Iterator[tree.Part]:
    """Yield the parts that hold a message, as what it is or as a file."""
    return (
        part
        for part in root.walk()
        if (type_ := part.content_type) in MESSAGE_TYPES or (type_ == _FILE and _is_named_as_message(part))
    )


def _is_named_as_message(part: tree.Part) -> bool:
    named = (*part.headers.get("content-disposition", ()), *part.headers.get("content-type", ()))
    return any(".eml" in value.lower() for value in named)


def flat(headers: tree.Headers) -> dict[str, str]:
    """Return the first value of each header; of `received` all, one a line, for the recipients that they name."""
    return {
        name: "\n".join(values)
        if name == "received"
        else values[0]
        if "=?" not in values[0]
        else charsets.header_text(values[0])
        for name, values in headers.items()
    }


def mailing_of(original: Mapping[str, str], envelope: Envelope) -> str | None:
    """Return the mailing that the returned message or the return path names."""
    named = (*([envelope.mailing] if envelope.claim else []), *mailings_of(original), envelope.mailing)
    return next((name.strip() for name in named if name and _ID.search(name.strip()) and name.strip()), None)


def mailings_of(original: Mapping[str, str]) -> list[str]:
    """Return the mailings that the returned message names, the surest first."""
    feedback = original.get("feedback-id", "")
    campaign = feedback.partition(":")[0] if ":" in feedback and "amazonses" not in feedback.lower() else ""
    named = (original.get("x-returpost-mailing", ""), original.get("x-mailing-id", ""), campaign)
    return [name.strip() for name in named if name.strip()]


def sender_of(original: Mapping[str, str]) -> str | None:
    """Return the name of the system that sent the message."""
    name = original.get("x-returpost-sender", "").strip()
    return name if _SENDER.search(name) else None


def stream_of(original: Mapping[str, str]) -> str | None:
    """Return what kind of mail the message was, as its sender calls it."""
    name = original.get("x-returpost-stream", "").strip()
    return name if _SENDER.search(name) else None


def recipients_of(original: Mapping[str, str]) -> Iterator[str]:
    """Yield the addresses that the returned message was for, the surest first."""
    for name in ("x-original-to", "delivered-to", "envelope-to", "x-envelope-to", "x-rcpt-to"):
        if found := address(original.get(name, "")):
            yield found
    named = _FOR.findall(original.get("received", "")[:8192])
    for text in (*reversed(named), *original.get("to", "").split(",")[:50], *original.get("cc", "").split(",")[:50]):
        if found := address(text):
            yield found


def date_of(value: str) -> datetime | None:
    """Return the moment of a `Date` field (RFC 5322 section 3.3) in UTC, or None when it tells none."""
    try:
        moment = _usual(value) or parsedate_to_datetime(value[:100])
        if not moment.tzinfo or moment.year < EARLIEST_YEAR:
            return None
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


def _usual(value: str) -> datetime | None:
    """Return the moment of a field as nearly all are written, in a tenth of the time that the others take."""
    found = _DATE.match(value)
    if not found or (month := found[2].lower()) not in _MONTHS:
        return None
    day, _, year, hour, minute, second, sign, hours, minutes = found.groups()
    if int(hours) > _FURTHEST:
        return None
    local = datetime(
        int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC
    )
    if hours == minutes == "00":
        return local
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return local + offset if sign == "-" else local - offset


def message_id(value: str) -> str | None:
    """Return the id without its brackets, or None."""
    text = value.strip().strip("<>").strip()
    return text[:500] if text and text.isprintable() else None
