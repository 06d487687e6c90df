"""Rows as an Excel file, written into one that is open. Plain: rows in, bytes out, whatever their number.

A sheet is written as XML column by column, which takes a fifth of the time of a library that is told cell by cell.
The parts of the package: ECMA-376 part 1, https://ecma-international.org/publications-and-standards/standards/ecma-376/.
"""

import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import IO, Any
from zoneinfo import ZoneInfo

from services.actions.operations.exports.formats import FileLayout, Rows

SHEET_ROWS = 1_048_575
"""Rows of a sheet below its headings: https://support.microsoft.com/office/excel-specifications-and-limits."""
_SHEET_BYTES = 2**31
"""Bytes from which on the next sheet begins: parts of more than 4 GiB are what not everything reads."""
_TEXT = 32_767
"""Characters of a cell, by the page above."""
_LEVEL = 1
"""Of compression."""
_DAY = timedelta(days=1)
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - the times of a sheet have no zone
_BAD = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What XML has no way to say, https://www.w3.org/TR/xml/#charsets; a carriage return, which its readers change; and
what looks like the way in which a sheet says such a character, `_x0008_`."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
"""Three styles of cells: 0 plain, 1 a time, 2 bold."""
_RELATIONS = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)


class Excel:
    """Writes a workbook row by row in constant memory; texts stay texts, whatever they look like."""

    def __init__(self, file: IO[bytes], layout: FileLayout, sheet_rows: int = SHEET_ROWS) -> None:
        self._package = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self._layout, self._sheet_rows = layout, sheet_rows
        self._sheets = self._row = self._bytes = 0
        self._sheet: IO[bytes] | None = None

    def rows(self, rows: Rows) -> None:
        """Add rows; past the end of a sheet the next one begins."""
        while rows:
            sheet = self._sheet
            if sheet is None or self._row == self._sheet_rows or self._bytes >= _SHEET_BYTES:
                sheet = self._next_sheet()
            part, rows = rows[: self._sheet_rows - self._row], rows[self._sheet_rows - self._row :]
            self._bytes += sheet.write(_rows(part, self._layout.zone))
            self._row += len(part)

    def close(self) -> None:
        """Put the file together."""
        if self._sheet is None:
            self._next_sheet()
        self._end_sheet()
        self._add("xl/styles.xml", _STYLES)
        self._add("_rels/.rels", _RELATIONS)
        numbers = range(1, self._sheets + 1)
        sheets = "".join(f'<sheet name="Sheet{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
        self._add(
            "xl/workbook.xml",
            f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>',
        )
        related = "".join(
            f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
        )
        styles = f'<Relationship Id="rId{self._sheets + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/>'
        self._add(
            "xl/_rels/workbook.xml.rels",
            f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{related}{styles}</Relationships>',
        )
        names = {"xl/workbook.xml": "sheet.main", "xl/styles.xml": "styles"}
        names |= {f"xl/worksheets/sheet{n}.xml": "worksheet" for n in numbers}
        parts = "".join(
            f'<Override PartName="/{name}" ContentType="{_KIND}.{kind}+xml"/>' for name, kind in names.items()
        )
        relations = "application/vnd.openxmlformats-package.relationships+xml"
        self._add(
            "[Content_Types].xml",
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="{relations}"/>'
            f"{parts}</Types>",
        )
        self._package.close()

    def _add(self, name: str, content: str) -> None:
        self._package.writestr(name, content)

    def _next_sheet(self) -> IO[bytes]:
        self._end_sheet()
        self._sheets += 1
        self._row = self._bytes = 0
        self._sheet = sheet = self._package.open(f"xl/worksheets/sheet{self._sheets}.xml", "w")
        titles = "".join(_texts(self._layout.titles, ' s="2"'))
        sheet.write(
            f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
            '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
            f'<cols><col min="1" max="{len(self._layout.titles)}" width="22" customWidth="1"/></cols>'
            f"<sheetData><row>{titles}</row>".encode()
        )
        return sheet

    def _end_sheet(self) -> None:
        if self._sheet is not None:
            self._sheet.write(b"</sheetData></worksheet>")
            self._sheet.close()


def _rows(rows: Rows, zone: ZoneInfo) -> bytes:
    columns = [list(_column(column, zone)) for column in zip(*rows, strict=True)]
    return "".join(f"<row>{''.join(row)}</row>" for row in zip(*columns, strict=True)).encode()


def _column(values: Sequence[Any], zone: ZoneInfo) -> Iterable[str]:
    some = next((value for value in values if value is not None), None)
    if isinstance(some, str):
        return _texts(values)
    if isinstance(some, datetime):
        return _numbers(values, ' s="1"', lambda value: (value.astimezone(zone).replace(tzinfo=None) - _EPOCH) / _DAY)
    return _numbers(values, "", lambda value: value)


def _texts(values: Iterable[str | None], style: str = "") -> Iterable[str]:
    begin, end = f'<c{style} t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
    return ["<c/>" if value is None else f"{begin}{_escaped(value)}{end}" for value in values]


def _escaped(text: str) -> str:
    if text.isalnum():
        return text[:_TEXT]
    return _BAD.sub(lambda found: f"_x{ord(found[0]):04X}_", escape(text[:_TEXT], quote=False))


def _numbers(values: Iterable[Any], style: str, number: Callable[[Any], float]) -> Iterable[str]:
    return ["<c/>" if value is None else f"<c{style}><v>{number(value)}</v></c>" for value in values]
