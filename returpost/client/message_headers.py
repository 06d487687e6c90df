"""The headers by which a recipient unsubscribes and a complaint is attributed, and the return path beside them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import Header
from typing import Final

from returpost.contracts.return_path import return_path
from returpost.contracts.unsubscribe_link import UnsubscribeLink, seal
from returpost.errors import InvalidSettings

MAX_LINE: Final = 990
"""Characters of a header that is not folded (RFC 5322 section 2.1.1)."""
LIFETIME: Final = timedelta(days=365)
"""A link must work for at least 30 days after the message was sent (CAN-SPAM, 15 U.S.C. 7704(a)(3)(A)(ii)); people
unsubscribe from what they find in their mailbox a year later."""
_MAILING: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_SENDER_ID: Final = re.compile(r"[A-Za-z0-9._-]{5,15}")
"""Of the Feedback-ID: https://support.google.com/a/answer/6254652."""
_UNSAFE: Final = re.compile(r"[^\x21-\x39\x3b-\x7e]+")
"""What a field of a Feedback-ID cannot hold: colons, blanks, and what is no ASCII."""


@dataclass(frozen=True, slots=True)
class MessageHeaders:
    """What one message to one recipient carries."""

    return_path: str
    """MAIL FROM: the bounce comes back to it."""
    headers: dict[str, str]
    """To be added to the message before it is signed: RFC 8058 section 4 wants both List-Unsubscribe fields covered by
    a valid DKIM signature."""


def headers(
    key: str,
    *,
    tenant: str,
    mailing: str,
    recipient: str,
    domain: str,
    url: str,
    stream: str | None = None,
    sender_id: str | None = None,
    lifetime: timedelta = LIFETIME,
    now: datetime | None = None,
) -> MessageHeaders:
    """Return the headers and the return path for one message to one recipient.

    `key` is one of ingest's return path keys, `domain` the one whose mail reaches ingest, `url` where ingest's `/u/` is
    reached (`https://mail.example.com`), `stream` what the link unsubscribes from (none: everything), `sender_id` who
    sends, in 5 to 15 characters, for a Feedback-ID. The link is good for `lifetime` from `now` on.

    Raises `InvalidSettings` for a key that is too short, a URL that is not https (RFC 8058 section 3.1), a lifetime
    that is none or a sender id that Gmail does not take; `InvalidAddress` for a recipient or a domain that is none.
    """
    if not url.startswith("https://"):
        raise InvalidSettings(f"url: {url!r}; a one-click link is https (RFC 8058 section 3.1)")
    if not _MAILING.fullmatch(mailing):
        raise InvalidSettings(f"mailing: {mailing!r}; 1 to 200 characters, no control characters")
    if lifetime <= timedelta():
        raise InvalidSettings(f"lifetime: {lifetime}; a link that has expired unsubscribes nobody")
    if sender_id is not None and not _SENDER_ID.fullmatch(sender_id):
        raise InvalidSettings(f"sender_id: {sender_id!r}; 5 to 15 letters, digits, dots, hyphens or underscores")

    def path(prefix: str) -> str:
        return return_path(key, tenant=tenant, mailing=mailing, recipient=recipient, domain=domain, prefix=prefix)

    expires = (now or datetime.now(UTC)) + lifetime
    token = seal(key, UnsubscribeLink(tenant, recipient, mailing, stream, expires))
    found = {
        "List-Unsubscribe": f"<{url.rstrip('/')}/u/{token}>, <mailto:{path('unsubscribe')}?subject=unsubscribe>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        # RFC 9477 sections 3.1 and 3.2: a report to a signed address says by itself of whom and what it is.
        "CFBL-Address": f"{path('fbl')}; report=arf",
        "X-Returpost-Mailing": mailing if mailing.isascii() else Header(mailing, "utf-8", MAX_LINE).encode(),
    }
    if stream is not None:
        found["X-Returpost-Stream"] = stream
    if sender_id is not None:
        fields = (_UNSAFE.sub("-", each) for each in (mailing, tenant, stream or "all"))
        found["Feedback-ID"] = ":".join((*fields, sender_id))
    return MessageHeaders(path("bounce"), found)
