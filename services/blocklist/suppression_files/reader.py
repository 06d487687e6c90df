"""Reading lists piece by piece, as they come in: CSV with or without a heading, JSON lines, and JSON in one document.

A provider's document may be as long as it likes: it is taken apart into its objects, and one of them is held at a time.
"""

import csv
import json
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, Final, Protocol

from services.blocklist.suppression_files.entry import (
    KNOWN,
    Entry,
    Fault,
    Kind,
    entry_of,
    moment,
    plain,
    unescape_formula,
)
from services.blocklist.suppression_files.lines import MAX_LINE, LineSplitter

MAX_RECORD: Final = MAX_LINE
"""Characters of one row, quoted line ends included."""
HEAD: Final = 8_192
"""Bytes by which the format is told."""
LONGEST_OPENING: Final = 200
_WRAPPED = re.compile(rb'"(?:SuppressedDestinationSummaries|Suppressions|items)"\s*:\s*\[')
"""The lists in the answers of SES, Postmark and Mailgun."""
_BETWEEN: Final = " \t\r\n\v\f,\ufeff"
"""What may stand between lists."""

Found = Entry | Fault
Make = Callable[[int, dict[str, Any]], Found]


class Format(StrEnum):
    """What a file is; a provider's name stands for all that it gives out."""

    AUTO = "auto"
    CSV = "csv"
    JSONL = "jsonl"
    SES = "ses"
    SENDGRID = "sendgrid"
    MAILGUN = "mailgun"
    POSTMARK = "postmark"


class Reader(Protocol):
    """Makes rows of bytes."""

    def feed(self, data: bytes) -> Iterator[Found]:
        """Take bytes; yield the rows that are whole by now."""
        ...

    def end(self) -> Iterator[Found]:
        """Yield what is left."""
        ...


class ListReader:
    """Reads a file of any of the formats, told by its first bytes."""

    def __init__(self, kind: Kind = Kind.BOUNCE) -> None:
        self._make: Make = lambda row, values: entry_of(row, values, kind)
        self._head = b""
        self._reader: Reader | None = None

    def feed(self, data: bytes) -> Iterator[Found]:
        """Take bytes; yield the rows that are whole by now."""
        if self._reader is None:
            self._head += data
            if len(self._head) < HEAD:
                return
            self._reader, data = reader_of(self._head, self._make), self._head
        yield from self._reader.feed(data)

    def end(self) -> Iterator[Found]:
        """Yield what is left."""
        if self._reader is None:
            self._reader = reader_of(self._head, self._make)
            yield from self._reader.feed(self._head)
        yield from self._reader.end()


def reader_of(head: bytes, make: Make) -> Reader:
    """Return who reads a file with this beginning."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"[" or (start == b"{" and _WRAPPED.search(head)):
        is_list = start == b"["
        return _Document(make, re.compile(r"\[" if is_list else _WRAPPED.pattern.decode()), alone=is_list)
    return _Lines(make) if start in (b"{", b'"') and _is_json(head) else _Table(make)


def _is_json(head: bytes) -> bool:
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return line[:1] == b"{"
    return True


class _Lines:
    """JSON lines: an object or a string each."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._lines = LineSplitter()
        self._row = 0

    def feed(self, data: bytes) -> Iterator[Found]:
        for line in self._lines.feed(data):
            yield from self._line(line)

    def end(self) -> Iterator[Found]:
        for line in self._lines.end():
            yield from self._line(line)

    def _line(self, line: bytes) -> Iterator[Found]:
        line = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not line:
            return
        self._row += 1
        if len(line) > MAX_RECORD:
            yield Fault(self._row, f"longer than {MAX_RECORD} bytes")
            return
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            yield Fault(self._row, "not a line of JSON")
            return
        yield _object(self._row, value, self._make)


class _Document:
    """One JSON document, or several one after the other: the objects in its list."""

    def __init__(self, make: Make, opening: re.Pattern[str], *, alone: bool) -> None:
        self._make = make
        self._opening = opening
        self._alone = alone
        """Whether nothing but lists may stand in the file."""
        self._decoder = json.JSONDecoder()
        self._bytes = b""
        self._text = ""
        self._inside = False
        self._broken = False
        self._row = 0

    def feed(self, data: bytes) -> Iterator[Found]:
        if self._broken:
            return
        self._bytes += data
        whole = len(self._bytes) - _unfinished(self._bytes)
        self._text += self._bytes[:whole].decode("utf-8", "replace")
        self._bytes = self._bytes[whole:]
        place = 0
        while True:
            if not self._inside:
                opened = self._opening.search(self._text, place)
                if self._alone and self._text[place : opened.start() if opened else None].strip(_BETWEEN):
                    yield self._breaks()
                    return
                if opened is None:
                    place = max(place, len(self._text) - LONGEST_OPENING)
                    break
                self._inside, place = True, opened.end()
            place = _after_separators(self._text, place)
            if self._text[place : place + 1] == "]":
                self._inside, place = False, place + 1
                continue
            try:
                value, place = self._decoder.raw_decode(self._text, place)
            except (ValueError, RecursionError):
                break
            self._row += 1
            yield _object(self._row, value, self._make)
        self._text = self._text[place:]
        if len(self._text) > MAX_RECORD:
            yield self._breaks()

    def end(self) -> Iterator[Found]:
        if self._inside and not self._broken:
            yield self._breaks()

    def _breaks(self) -> Found:
        self._broken, self._text, self._bytes = True, "", b""
        return Fault(self._row + 1, "the document is broken from here on, or ends too early")


class _Table:
    """CSV with a heading that names the columns, or without one: address, reason, time. Also just an address a line.

    A quotation mark that is never closed spoils the line it is in: those after it are rows of their own.
    """

    def __init__(self, make: Make) -> None:
        self._make = make
        self._lines = LineSplitter()
        self._open: list[str] = []
        """The lines of a row that a quotation mark goes over; all but the first have an even number of them."""
        self._size = 0
        self._delimiter = ","
        self._names: list[str] | None = None
        self._guessed = False
        self._row = 0

    def feed(self, data: bytes) -> Iterator[Found]:
        for line in self._lines.feed(data):
            yield from self._line(line)

    def end(self) -> Iterator[Found]:
        for line in self._lines.end():
            yield from self._line(line)
        yield from self._unclosed()

    def _line(self, line: bytes) -> Iterator[Found]:
        if len(line) > MAX_LINE:
            yield from self._unclosed()
            yield self._fault(f"longer than {MAX_LINE} bytes")
            return
        try:
            text = line.removesuffix(b"\r").decode("utf-8-sig" if self._names is None else "utf-8")
        except UnicodeDecodeError:
            yield self._fault("not UTF-8")
            return
        is_odd = text.count('"') % 2 == 1
        if is_odd == bool(self._open):
            whole, self._open, self._size = "\n".join([*self._open, text]), [], 0
            if whole.strip():
                yield from self._record(whole)
            return
        self._open.append(text)
        self._size += len(text) + 1
        if self._size > MAX_RECORD:
            yield from self._unclosed()

    def _unclosed(self) -> Iterator[Found]:
        lines, self._open, self._size = self._open, [], 0
        if lines:
            yield self._fault("a quotation mark is opened and never closed")
        for text in lines[1:]:
            if text.strip():
                yield from self._record(text)

    def _fault(self, problem: str) -> Fault:
        self._row += 1
        return Fault(self._row, problem)

    def _record(self, text: str) -> Iterator[Found]:
        if self._names is None:
            self._delimiter = next((sign for sign in (";", "\t") if sign in text and "," not in text), ",")
        try:
            cells = next(csv.reader([text], delimiter=self._delimiter))
        except (csv.Error, StopIteration):
            yield self._fault("not a row of CSV")
            return
        if self._names is None:
            named = [plain(cell) for cell in cells]
            self._guessed = not KNOWN & set(named)
            self._names = ["address", "reason", "time"] if self._guessed else named
            if not self._guessed:
                return
        self._row += 1
        values = dict(zip(self._names, map(unescape_formula, cells), strict=False))
        if self._guessed and moment(values.get("time")) is None:
            values.pop("time", None)  # a third column that is something else
        yield self._make(self._row, values)


def _object(row: int, value: Any, make: Make) -> Found:
    if isinstance(value, str):
        return make(row, {"address": value})
    if not isinstance(value, dict):
        return Fault(row, "neither an object nor an address")
    return make(row, {plain(name): each for name, each in value.items() if not isinstance(each, dict | list)})


def _after_separators(text: str, place: int) -> int:
    while text[place : place + 1] in (" ", "\t", "\r", "\n", ","):
        place += 1
    return place


def _unfinished(data: bytes) -> int:
    """Return how many bytes at the end belong to a character that is not whole yet (RFC 3629 section 3)."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if length > back else 0
    return 0
