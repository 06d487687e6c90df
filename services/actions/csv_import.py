"""Contacts from CSV: rows in, contacts or an explained refusal out. One bad row never stops an import."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from shared.contracts import ContactUpserted
from shared.errors import InvalidMessage

MAX_LINES = 200_000
MAX_LINES_A_ROW = 20
"""A quoted field may go over lines; one that is still open after so many was never meant to."""
MAX_ADDRESSES = 100

_COLUMNS = {
    "contact": "contact", "id": "contact", "contact_id": "contact", "contactid": "contact", "person": "contact",
    "person_id": "contact", "personid": "contact", "kontakt": "contact",
    "name": "name", "navn": "name", "full name": "name", "fullt navn": "name",
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


def read(body: bytes, now: datetime) -> Iterator[ContactUpserted | BadRow]:
    """Yield a refusal for each row after the header that is wrong, then the contacts of the others.

    UTF-8 (with or without BOM), UTF-16 with BOM, or Windows-1252; comma, semicolon or tab, or what a first line `sep=`
    says. Rows of one contact are one contact with the addresses of all of them; a row without an address says nothing
    of the addresses. Raises `InvalidMessage`, before the first contact, when the header names no contact or no address
    or when there are too many lines.
    """
    lines = list(io.StringIO(_text(body), newline=""))
    if len(lines) > MAX_LINES:
        raise InvalidMessage(f"file: more than {MAX_LINES} lines; import it in parts")
    start, delimiter = _layout(lines)
    meaning = _meaning(lines[start : start + 1], delimiter)
    contacts: dict[str, ContactUpserted] = {}
    for line, row in _rows(lines, start + 1, delimiter):
        told = row if isinstance(row, BadRow) else _contact(row, meaning, line, now)
        if isinstance(told, ContactUpserted):
            told = _united(contacts.get(told.contact), told, line)
        if isinstance(told, BadRow):
            yield told
        else:
            contacts[told.contact] = told
    yield from contacts.values()


def _meaning(header: Sequence[str], delimiter: str) -> list[str | None]:
    try:
        names = next(csv.reader(header, delimiter=delimiter), [])
    except csv.Error as error:
        raise InvalidMessage(f"header: not readable as CSV: {error}") from None
    meaning = [_COLUMNS.get(name.strip().lower()) for name in names]
    if "contact" not in meaning or "address" not in meaning:
        raise InvalidMessage(
            f"header: needs a column contact (or id, person) and a column email (or e-post); found {names[:20]}"
        )
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


def _contact(row: list[str], meaning: list[str | None], line: int, now: datetime) -> ContactUpserted | BadRow:
    values: dict[str, str] = {}
    addresses: list[str] = []
    for name, field in zip(meaning, row, strict=False):
        stripped = field.strip()
        if name == "address" and stripped:
            addresses.append(stripped)
        elif name and stripped:
            values[name] = stripped
    try:
        return ContactUpserted.model_validate(values | {"addresses": addresses or None, "time": now})
    except ValidationError as error:
        fault = error.errors()[0]
        return BadRow(line, f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}")


def _united(known: ContactUpserted | None, told: ContactUpserted, line: int) -> ContactUpserted | BadRow:
    """Return what two rows say of one contact."""
    if known is None:
        return told
    addresses = [*(known.addresses or ()), *(told.addresses or ())]
    if len(addresses) > MAX_ADDRESSES:
        return BadRow(line, f"addresses: more than {MAX_ADDRESSES} for one contact")
    values = {
        "name": told.name or known.name,
        "company": told.company or known.company,
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
