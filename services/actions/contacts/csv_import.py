"""Contacts from CSV: rows in, contacts or an error for each bad row out. One bad row never stops an import."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, TypeAdapter, ValidationError

from returpost.contracts import Address, ContactUpsert, Id
from returpost.errors import InvalidMessage, words

MAX_LINES = 200_000
MAX_LINES_A_ROW = 20
"""A quoted field may go over lines; one that is still open after so many was never meant to."""
MAX_ADDRESSES = 100
MAX_SHOWN = 100
"""Refused rows that a result names."""

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "id;name;company;email\nc1;Ann Berg;X AS;ann@example.com\n",
            }
        },
    }
}
"""How an import's body is described in OpenAPI."""

_COLUMNS = {
    "contact": "contact", "id": "contact", "contact_id": "contact", "contactid": "contact", "person": "contact",
    "person_id": "contact", "personid": "contact", "kontakt": "contact",
    "name": "name", "navn": "name", "full name": "name", "fullt navn": "name",
    "external_id": "external_id", "external id": "external_id", "externalid": "external_id",
    "ekstern id": "external_id",
    "company": "company", "firma": "company", "bedrift": "company", "organisation": "company", "selskap": "company",
    "email": "address", "e-mail": "address", "e-post": "address", "epost": "address", "address": "address",
    "e-postadresse": "address", "email address": "address", "e-mail address": "address", "mail": "address",
}  # fmt: skip
"""Names of columns in English and Norwegian, and what they hold. Several columns may hold addresses."""
_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not imported: its first line in the file, counted from 1, and what is wrong with it."""

    line: int
    problem: str


def read(body: bytes, now: datetime) -> Iterator[ContactUpsert | BadRow]:
    """Yield a refusal for each row after the header that is wrong, then the contacts of the others.

    UTF-8 (with or without BOM), UTF-16 with BOM, or Windows-1252; comma, semicolon or tab, or what a first line `sep=`
    says. Rows of one contact are one contact with the addresses of all of them; a row without an address says nothing
    of the addresses. Raises `InvalidMessage`, before the first contact, when the header names no contact or no address
    or when there are too many lines.
    """
    meaning, rows = _table(body, ("contact", "address"))
    contacts: dict[str, ContactUpsert] = {}
    for line, row in rows:
        told = row if isinstance(row, BadRow) else _contact(row, meaning, line, now)
        if isinstance(told, ContactUpsert):
            told = _united(contacts.get(told.contact), told, line)
        if isinstance(told, BadRow):
            yield told
        else:
            contacts[told.contact] = told
    yield from contacts.values()


def column(body: bytes, wanted: Literal["contact", "address"]) -> tuple[list[str], list[BadRow]]:
    """Return the ids of contacts, or the addresses, that a file names, each once; and the rows that are wrong.

    Raises `InvalidMessage` as `read` does.
    """
    meaning, rows = _table(body, (wanted,))
    check = _CHECKS[wanted]
    good: dict[str, None] = {}
    bad: list[BadRow] = []
    for line, row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        for name, field in zip(meaning, row, strict=False):
            if name == wanted and field.strip():
                try:
                    good[check.validate_python(field.strip())] = None
                except ValidationError as error:
                    bad.append(BadRow(line, f"{wanted}: {words(error.errors()[0])}"))
    return list(good), bad


class RowError(BaseModel):
    """A row that was not imported: its first line in the file, counted from 1, and what is wrong with it."""

    line: int
    problem: str


class ImportResult(BaseModel):
    """How many rows were imported and refused; `errors` name the first of the refused."""

    imported: int
    refused: int
    errors: list[RowError]

    @classmethod
    def of(cls, imported: int, bad: Sequence[BadRow]) -> Self:
        """Return the result of an import."""
        errors = [RowError(line=row.line, problem=row.problem) for row in bad[:MAX_SHOWN]]
        return cls(imported=imported, refused=len(bad), errors=errors)


_CHECKS: dict[str, TypeAdapter[str]] = {"contact": TypeAdapter(Id), "address": TypeAdapter(Address)}


def _table(body: bytes, needed: Sequence[str]) -> tuple[list[str | None], Iterator[tuple[int, list[str] | BadRow]]]:
    lines = list(io.StringIO(_text(body), newline=""))
    if len(lines) > MAX_LINES:
        raise InvalidMessage(f"file: more than {MAX_LINES} lines; import it in parts")
    start, delimiter = _layout(lines)
    return _meaning(lines[start : start + 1], delimiter, needed), _rows(lines, start + 1, delimiter)


_NEEDED = {"contact": "a column contact (or id, person)", "address": "a column email (or e-post)"}


def _meaning(header: Sequence[str], delimiter: str, needed: Sequence[str]) -> list[str | None]:
    try:
        names = next(csv.reader(header, delimiter=delimiter), [])
    except csv.Error as error:
        raise InvalidMessage(f"header: not readable as CSV: {error}") from None
    meaning = [_COLUMNS.get(name.strip().lower()) for name in names]
    if not set(needed) <= set(meaning):
        raise InvalidMessage(f"header: needs {' and '.join(_NEEDED[name] for name in needed)}; found {names[:20]}")
    return meaning


def _rows(lines: Sequence[str], start: int, delimiter: str) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Yield each row that is not empty with its first line. After a line that is no CSV the next one is a new row."""
    at = start
    while at < len(lines):
        reader = csv.reader(lines[at : at + MAX_LINES_A_ROW], delimiter=delimiter, strict=True)
        try:
            row = next(reader)
        except csv.Error as error:
            quote = "a quote that is opened here is not closed"
            problem = quote if "unexpected end" in str(error) else f"not readable as CSV: {error}"
            yield at + 1, BadRow(at + 1, problem)
            at += 1
            continue
        if any(field.strip() for field in row):
            yield at + 1, row
        at += max(1, reader.line_num)


def _contact(row: list[str], meaning: list[str | None], line: int, now: datetime) -> ContactUpsert | BadRow:
    values: dict[str, str] = {}
    addresses: list[str] = []
    for name, field in zip(meaning, row, strict=False):
        stripped = field.strip()
        if name == "address" and stripped:
            addresses.append(stripped)
        elif name and stripped:
            values[name] = stripped
    try:
        return ContactUpsert.model_validate(values | {"addresses": addresses or None, "time": now})
    except ValidationError as error:
        fault = error.errors()[0]
        return BadRow(line, f"{'.'.join(str(part) for part in fault['loc'])}: {words(fault)}")


def _united(known: ContactUpsert | None, told: ContactUpsert, line: int) -> ContactUpsert | BadRow:
    """Return what two rows say of one contact."""
    if known is None:
        return told
    addresses = [*(known.addresses or ()), *(told.addresses or ())]
    if len(addresses) > MAX_ADDRESSES:
        return BadRow(line, f"addresses: more than {MAX_ADDRESSES} for one contact")
    values = {
        "name": told.name or known.name,
        "company": told.company or known.company,
        "external_id": told.external_id or known.external_id,
        "addresses": addresses or None,
    }
    return told.model_copy(update=values)


def _text(body: bytes) -> str:
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", errors="replace")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _layout(lines: Sequence[str]) -> tuple[int, str]:
    """Return the index of the header and the delimiter."""
    first = lines[0].rstrip("\r\n") if lines else ""
    if first.lower().startswith("sep=") and first[4:] in tuple(_DELIMITERS):
        return 1, first[4:]
    return 0, max(_DELIMITERS, key=first.count)
