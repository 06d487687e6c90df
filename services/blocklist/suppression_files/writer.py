"""Writing lists, so that our own can be read again and a provider can take its own in."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.suppression_files.entry import Kind, escape_formula
from services.blocklist.suppression_files.reader import Format

COLUMNS: Final = ("address", "cause", "reason", "since", "until", "mailing", "return_count", "by", "note")
TYPES: Final = {Format.JSONL: "application/x-ndjson", Format.POSTMARK: "application/json"}
"""Media types of what is not CSV."""

Block = Mapping[str, Any]
"""A row with `COLUMNS`; times are `datetime`."""

_KINDS: Final = {BlockCause.COMPLAINT: Kind.COMPLAINT, BlockCause.UNSUBSCRIBED: Kind.UNSUBSCRIBE}
"""Which list of a provider a cause belongs to; all others are bounces."""
_STATUS: Final = {
    Reason.USER_UNKNOWN: "5.1.1",
    Reason.DOMAIN_UNKNOWN: "5.1.2",
    Reason.BAD_ADDRESS: "5.1.3",
    Reason.MOVED: "5.1.6",
    Reason.NOT_ACCEPTING: "5.1.10",
}


class ListWriter:
    """Writes blocks in one format."""

    def __init__(self, format_: Format, kind: Kind | None = None) -> None:
        """`kind` chooses the list of a provider that keeps several: bounces where nothing is said."""
        self._format = format_
        self._kind = kind or (Kind.BOUNCE if format_ in (Format.SENDGRID, Format.MAILGUN) else None)
        self._any = False

    def begin(self) -> str:
        """Return what stands before the first block."""
        bounces = self._kind is Kind.BOUNCE
        return {
            Format.CSV: _csv(COLUMNS),
            Format.SENDGRID: "status,reason,email,created\r\n" if bounces else "email,created\r\n",
            Format.MAILGUN: "address,code,error,created_at\r\n" if bounces else "address,created_at\r\n",
            Format.POSTMARK: '{"Suppressions":[',
        }.get(self._format, "")

    def blocks(self, blocks: Iterable[Block]) -> str:
        """Return the text of these blocks, without those that belong to another list of the provider."""
        return "".join(self._texts(block for block in blocks if self._wanted(block)))

    def end(self) -> str:
        """Return what stands behind the last block."""
        return "\n]}\n" if self._format is Format.POSTMARK else ""

    def _wanted(self, block: Block) -> bool:
        if self._format not in (Format.CSV, Format.JSONL) and block.get("streams"):
            return False  # a provider's list stops all mail, this block the mail of some streams
        return self._kind in (None, _KINDS.get(block["cause"], Kind.BOUNCE))

    def _texts(self, blocks: Iterable[Block]) -> Iterator[str]:
        write = _WRITERS[self._format]
        for block in blocks:
            if self._format is Format.POSTMARK and self._any:
                yield ","
            self._any = True
            yield write(block, self._kind is Kind.BOUNCE)


def _ours(block: Block, _: bool) -> str:
    return _csv([escape_formula(_text(block.get(name))) for name in COLUMNS])


def _jsonl(block: Block, _: bool) -> str:
    values = {name: block.get(name) for name in COLUMNS if block.get(name) not in (None, "")}
    return json.dumps(values, ensure_ascii=False, default=_text) + "\n"


def _ses(block: Block, _: bool) -> str:
    """One of two reasons: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html

    Who wants no mail has not bounced: that stands as a complaint.
    """
    return _csv((block["address"], "COMPLAINT" if block["cause"] in _KINDS else "BOUNCE"))


def _sendgrid(block: Block, bounces: bool) -> str:
    """https://www.twilio.com/docs/sendgrid/ui/sending-email/index-suppressions"""
    created = int(block["since"].timestamp())
    if not bounces:
        return _csv((block["address"], created))
    return _csv((_STATUS.get(block["reason"], "5.0.0"), _words(block), block["address"], created))


def _mailgun(block: Block, bounces: bool) -> str:
    """https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/bounces"""
    created = format_datetime(block["since"], usegmt=True)
    return _csv((block["address"], 550, _words(block), created) if bounces else (block["address"], created))


def _postmark(block: Block, _: bool) -> str:
    """https://postmarkapp.com/developer/api/suppressions-api"""
    by_hand = block["cause"] == BlockCause.MANUAL
    reason = {
        BlockCause.COMPLAINT: "SpamComplaint",
        BlockCause.MANUAL: "ManualSuppression",
        BlockCause.UNSUBSCRIBED: "ManualSuppression",
    }
    value = {
        "EmailAddress": block["address"],
        "SuppressionReason": reason.get(block["cause"], "HardBounce"),
        "Origin": "Customer" if by_hand else "Recipient",
        "CreatedAt": block["since"].isoformat(),
    }
    return "\n" + json.dumps(value, ensure_ascii=False)


_WRITERS: Final[Mapping[Format, Callable[[Block, bool], str]]] = {
    Format.CSV: _ours,
    Format.JSONL: _jsonl,
    Format.SES: _ses,
    Format.SENDGRID: _sendgrid,
    Format.MAILGUN: _mailgun,
    Format.POSTMARK: _postmark,
}


def _words(block: Block) -> str:
    return escape_formula(str(block["reason"] or block.get("note") or block["cause"]))


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value)


def _csv(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
