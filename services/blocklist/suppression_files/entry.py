"""What a row of a list says: an address, and as much of why and since when as the row tells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from returpost.contracts.addresses import hide_addresses
from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.tenant_settings.domain import DEAD

MAX_NOTE: Final = 300
MAX_WRITTEN: Final = 1_000
"""Characters of an address as it is written, with a name."""


class Kind(StrEnum):
    """What the addresses of a list are, where its rows do not say."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row that can be used."""

    row: int
    """Counted from 1, without a heading."""
    address: str
    """As it is written."""
    cause: BlockCause = BlockCause.MANUAL
    reason: Reason | None = None
    time: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row that cannot; the problem names no address."""

    row: int
    problem: str


_ADDRESS = ("address", "email", "emailaddress", "recipient", "recipientemail", "epost", "epostadresse")
_REASON = ("reason", "suppressionreason", "cause", "type", "error")
_TIME = ("since", "createdat", "created", "lastupdatetime", "lastupdated", "time", "date")
KNOWN: Final = frozenset((*_ADDRESS, *_REASON, *_TIME, "status", "code", "note", "origin", "ip", "tag", "tags"))
"""Names of columns, as `plain` makes them."""

_COMPLAINT = frozenset({"complaint", "spamcomplaint", "spam", "spamreport", "abuse"})
_UNSUBSCRIBE = frozenset({"unsubscribe", "unsubscribed", "groupunsubscribe", "optout"})
_STATUS = {
    "5.1.1": Reason.USER_UNKNOWN,
    "5.1.2": Reason.DOMAIN_UNKNOWN,
    "5.1.3": Reason.BAD_ADDRESS,
    "5.1.6": Reason.MOVED,
    "5.1.10": Reason.NOT_ACCEPTING,
}
"""RFC 3463 section 3.2, RFC 7505 section 4.2. The provider has judged the text already."""
_FORMULA = re.compile(r"'*\s*[=+\-@\t\r]")
_ENHANCED = re.compile(r"\b5\.1\.\d{1,3}\b")


def escape_formula(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, and that `unescape_formula` makes what it was.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """Return what was escaped."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def plain(name: str) -> str:
    """Return the name of a column without case, blanks and signs: `Email Address` and `email_address` are one."""
    return "".join(character for character in name.lower() if character.isalnum())


def entry_of(row: int, values: Mapping[str, Any], kind: Kind) -> Entry | Fault:
    """Read a row whose columns have `plain` names; `kind` is what it is if it does not say."""
    address = _first(values, _ADDRESS)
    if not address:
        return Fault(row, "no address in this row")
    if len(address) > MAX_WRITTEN:
        return Fault(row, f"the address is longer than {MAX_WRITTEN} characters")
    said = _first(values, _REASON)
    word, status = plain(said), _status(values, said)
    dated = next((values[name] for name in _TIME if values.get(name) not in (None, "")), None)
    time = moment(dated)
    if dated is not None and time is None:
        return Fault(row, "the time in this row cannot be read; write it as 2026-01-31T12:00:00Z")
    note = _note(values, said)
    if word in _UNSUBSCRIBE or (not word and kind is Kind.UNSUBSCRIBE):
        return Entry(row, address, BlockCause.UNSUBSCRIBED, Reason.UNSUBSCRIBE, time, note)
    if word == BlockCause.FORMER_EMPLOYEE.replace("_", ""):
        return Entry(row, address, BlockCause.FORMER_EMPLOYEE, None, time, note)
    if word in _COMPLAINT or (not word and (kind is Kind.COMPLAINT or "ip" in values)):
        return Entry(row, address, BlockCause.COMPLAINT, Reason.COMPLAINT, time, note)
    reason = _dead(_first(values, ("reason",))) or _STATUS.get(status)
    if reason is not None:
        return Entry(row, address, BlockCause.DEAD_ADDRESS, reason, time, note)
    return Entry(row, address, BlockCause.MANUAL, None, time, note or kind.value)


def moment(value: Any) -> datetime | None:
    """Read a time: ISO 8601, RFC 5322 or seconds since 1970; UTC where no offset is given. None when it is none."""
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        text = str(value).strip().removesuffix(" UTC")
        found = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := str(values.get(name) or "").strip())), "")


def _status(values: Mapping[str, Any], said: str) -> str:
    found = _ENHANCED.search(str(values.get("status") or "")) or _ENHANCED.search(said)
    return found[0] if found else ""


def _dead(word: str) -> Reason | None:
    return next((reason for reason in DEAD if reason == word), None)


def _note(values: Mapping[str, Any], said: str) -> str:
    given = str(values.get("note") or "").strip()
    parts = [given] if given else [str(values.get("code") or "").strip(), said]
    return hide_addresses(" ".join(part.replace("\x00", "") for part in parts if part))[:MAX_NOTE]
