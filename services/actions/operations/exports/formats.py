"""Rows as CSV, JSON lines, HTML or plain text. Plain: rows in, bytes out.

Values are made text column by column: what a column holds is looked at once, not for each of a million cells.
"""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from zoneinfo import ZoneInfo

Rows = Sequence[Sequence[Any]]
"""All values of a column are of one type, or none."""

_FORMULA = re.compile(r"^\s*[=+\-@\t\r]")
"""What spreadsheets take for a formula: https://owasp.org/www-community/attacks/CSV_Injection."""
_DATE = re.compile(r"^\d{1,4}\.\d{1,4}(\.\d{1,4})?$")
"""What Excel takes for a date or a number, as an enhanced status code such as 5.1.1."""
SECONDS = len("2026-01-02 03:04:05")
_BLANKS = re.compile(r"[\x00-\x20\x7f]+")


class Format(StrEnum):
    CSV = "csv"
    EXCEL = "xlsx"
    JSON_LINES = "jsonl"
    HTML = "html"
    TEXT = "txt"


CONTENT_TYPES = {
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.JSON_LINES: "application/x-ndjson",
    Format.HTML: "text/html; charset=utf-8",
    Format.TEXT: "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class FileLayout:
    """Columns, headings and format details of a file."""

    columns: Sequence[str]
    titles: Sequence[str]
    zone: ZoneInfo
    language: str = "en"
    bom: bool = False
    """Begin CSV and text with a byte order mark, by which Excel knows UTF-8."""
    separator: str = ","
    headings: bool = True
    """Begin CSV and text with the titles."""


class RowWriter(Protocol):
    """Writes a file part by part."""

    def start(self) -> bytes: ...

    def rows(self, rows: Rows) -> bytes: ...

    def end(self) -> bytes: ...


def escape_formula(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return text if text[:1].isalnum() or not _FORMULA.match(text) else f"'{text}"


def escape_date(text: str) -> str:
    """Return text that Excel takes neither for a formula nor for a date."""
    return f"'{text}" if _DATE.match(text) else escape_formula(text)


class Csv:
    """RFC 4180: quoted where needed, CR LF, headings first; no cell begins like a formula, nor is a date in Excel."""

    def __init__(self, layout: FileLayout) -> None:
        self._layout = layout

    def start(self) -> bytes:
        mark = "\ufeff" if self._layout.bom else ""
        return mark.encode() + self._written([self._layout.titles] if self._layout.headings else [])

    def rows(self, rows: Rows) -> bytes:
        escape = escape_date if self._layout.bom else escape_formula
        return self._written(_texts(rows, self._layout.zone, escape))

    def end(self) -> bytes:
        return b""

    def _written(self, rows: Iterable[Sequence[str]]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._layout.separator, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()


class JsonLines:
    """One object a line, by the names of the columns; times with their offset."""

    def __init__(self, layout: FileLayout) -> None:
        self._layout = layout

    def start(self) -> bytes:
        return b""

    def rows(self, rows: Rows) -> bytes:
        columns, zone = self._layout.columns, self._layout.zone

        def plain(value: Any) -> Any:
            return value.astimezone(zone).isoformat() if isinstance(value, datetime) else value

        lines = [json.dumps(dict(zip(columns, map(plain, row), strict=True)), ensure_ascii=False) for row in rows]
        return "".join(line + "\n" for line in lines).encode()

    def end(self) -> bytes:
        return b""


class Html:
    """A page with one table, which needs nothing from elsewhere."""

    def __init__(self, layout: FileLayout) -> None:
        self._layout = layout

    def start(self) -> bytes:
        titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in self._layout.titles)
        return (
            f'<!doctype html>\n<html lang="{self._layout.language}"><head><meta charset="utf-8">'
            "<title>Returpost</title><style>table{border-collapse:collapse;font:14px sans-serif}"
            "td,th{border:1px solid #bbb;padding:2px 6px;"
            f"text-align:left}}</style></head>\n<body><table><thead><tr>{titles}</tr></thead><tbody>\n"
        ).encode()

    def rows(self, rows: Rows) -> bytes:
        texts = _texts(rows, self._layout.zone, html.escape)
        return "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>\n" for row in texts).encode()

    def end(self) -> bytes:
        return b"</tbody></table></body></html>\n"


class PlainText:
    """A line a row, tabs between the columns; blanks of any kind inside a value are one space, and none of them begins
    like a formula: spreadsheets open such a file too.
    """

    def __init__(self, layout: FileLayout) -> None:
        self._layout = layout

    def start(self) -> bytes:
        mark = "\ufeff" if self._layout.bom else ""
        return f"{mark}{chr(9).join(self._layout.titles)}\n".encode() if self._layout.headings else mark.encode()

    def rows(self, rows: Rows) -> bytes:
        texts = _texts(rows, self._layout.zone, lambda text: escape_formula(_BLANKS.sub(" ", text)))
        return "".join("\t".join(row) + "\n" for row in texts).encode()

    def end(self) -> bytes:
        return b""


STREAMED: dict[Format, Callable[[FileLayout], RowWriter]] = {
    Format.CSV: Csv,
    Format.JSON_LINES: JsonLines,
    Format.HTML: Html,
    Format.TEXT: PlainText,
}


def _texts(rows: Rows, zone: ZoneInfo, text: Callable[[str], str]) -> Iterable[tuple[str, ...]]:
    return zip(*(list(_column(column, zone, text)) for column in zip(*rows, strict=True)), strict=True)


def _column(values: Sequence[Any], zone: ZoneInfo, text: Callable[[str], str]) -> Iterable[str]:
    some = next((value for value in values if value is not None), None)
    if isinstance(some, str):
        return ["" if value is None else text(value) for value in values]
    if isinstance(some, datetime):
        return ["" if value is None else value.astimezone(zone).isoformat(" ")[:SECONDS] for value in values]
    return ["" if value is None else str(value) for value in values]
