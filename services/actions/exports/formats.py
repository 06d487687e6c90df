"""Rows as CSV, JSON lines, HTML or plain text, and as an Excel file. Plain: rows in, bytes or a file out."""

import csv
import html
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

Rows = Iterable[Sequence[Any]]

_FORMULA = re.compile(r"^\s*[=+\-@\t\r]")
"""What spreadsheets take for a formula: https://owasp.org/www-community/attacks/CSV_Injection."""
_BLANKS = re.compile(r"[\x00-\x20\x7f]+")
EXCEL_ROWS = 1_048_575
"""Rows of a sheet below its headings: https://support.microsoft.com/office/excel-specifications-and-limits."""
_EXCEL_TEXT = 32_767
"""Characters of a cell, by the same page."""


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
class Look:
    """How a file is to look."""

    columns: Sequence[str]
    titles: Sequence[str]
    zone: ZoneInfo
    language: str = "en"
    bom: bool = False
    """Begin CSV and text with a byte order mark, by which Excel knows UTF-8."""
    separator: str = ","


class Writes(Protocol):
    """Makes a file bit by bit."""

    def start(self) -> bytes: ...

    def rows(self, rows: Rows) -> bytes: ...

    def end(self) -> bytes: ...


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


class Csv:
    """RFC 4180: quoted where needed, CR LF, headings first; no cell begins like a formula."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def start(self) -> bytes:
        mark = "\ufeff" if self._look.bom else ""
        return mark.encode() + self._written([self._look.titles])

    def rows(self, rows: Rows) -> bytes:
        zone = self._look.zone
        return self._written([_cell(value, zone) for value in row] for row in rows)

    def end(self) -> bytes:
        return b""

    def _written(self, rows: Rows) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._look.separator, lineterminator="\r\n").writerows(rows)
        return text.getvalue().encode()


class JsonLines:
    """One object a line, by the names of the columns; times with their offset."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def start(self) -> bytes:
        return b""

    def rows(self, rows: Rows) -> bytes:
        columns, zone = self._look.columns, self._look.zone

        def plain(value: Any) -> Any:
            return value.astimezone(zone).isoformat() if isinstance(value, datetime) else value

        lines = [json.dumps(dict(zip(columns, map(plain, row), strict=True)), ensure_ascii=False) for row in rows]
        return "".join(line + "\n" for line in lines).encode()

    def end(self) -> bytes:
        return b""


class Html:
    """A page with one table, which needs nothing from elsewhere."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def start(self) -> bytes:
        titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in self._look.titles)
        return (
            f'<!doctype html>\n<html lang="{self._look.language}"><head><meta charset="utf-8"><title>Returpost</title>'
            "<style>table{border-collapse:collapse;font:14px sans-serif}td,th{border:1px solid #bbb;padding:2px 6px;"
            f"text-align:left}}</style></head>\n<body><table><thead><tr>{titles}</tr></thead><tbody>\n"
        ).encode()

    def rows(self, rows: Rows) -> bytes:
        zone = self._look.zone
        return "".join(
            f"<tr>{''.join(f'<td>{html.escape(_text(value, zone))}</td>' for value in row)}</tr>\n" for row in rows
        ).encode()

    def end(self) -> bytes:
        return b"</tbody></table></body></html>\n"


class PlainText:
    """A line a row, tabs between the columns; blanks of any kind inside a value are one space."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def start(self) -> bytes:
        mark = "\ufeff" if self._look.bom else ""
        return f"{mark}{chr(9).join(self._look.titles)}\n".encode()

    def rows(self, rows: Rows) -> bytes:
        zone = self._look.zone
        return "".join("\t".join(_BLANKS.sub(" ", _text(value, zone)) for value in row) + "\n" for row in rows).encode()

    def end(self) -> bytes:
        return b""


STREAMED: dict[Format, Callable[[Look], Writes]] = {
    Format.CSV: Csv,
    Format.JSON_LINES: JsonLines,
    Format.HTML: Html,
    Format.TEXT: PlainText,
}


class Excel:
    """Writes a workbook row by row in constant memory; texts stay texts, whatever they look like."""

    def __init__(self, path: Path, look: Look) -> None:
        import xlsxwriter

        options = {"constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False}
        self._book = xlsxwriter.Workbook(str(path), options)
        self._bold = self._book.add_format({"bold": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._look = look
        self._row = EXCEL_ROWS
        self._sheet: Any = None

    def rows(self, rows: Rows) -> None:
        """Add rows; past the end of a sheet the next one begins."""
        zone = self._look.zone
        for row in rows:
            if self._row >= EXCEL_ROWS:
                self._next_sheet()
            self._row += 1
            for column, value in enumerate(row):
                self._cell(column, value, zone)

    def _cell(self, column: int, value: Any, zone: ZoneInfo) -> None:
        if value is None:
            return
        if isinstance(value, str):
            self._sheet.write_string(self._row, column, value[:_EXCEL_TEXT])
        elif isinstance(value, datetime):
            self._sheet.write_datetime(self._row, column, value.astimezone(zone).replace(tzinfo=None), self._time)
        else:
            self._sheet.write_number(self._row, column, value)

    def close(self) -> None:
        """Put the file together."""
        if self._sheet is None:
            self._next_sheet()
        self._book.close()

    def _next_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(self._look.columns) - 1, 22)
        for column, title in enumerate(self._look.titles):
            self._sheet.write_string(0, column, title, self._bold)
        self._row = 0


def _cell(value: Any, zone: ZoneInfo) -> Any:
    return harmless(value) if isinstance(value, str) else _text(value, zone)


def _text(value: Any, zone: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    return str(value)
