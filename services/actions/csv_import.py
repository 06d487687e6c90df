"""Contacts from CSV: rows in, contacts or an explained refusal out. One bad row never stops an import."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from shared.contracts import ContactUpserted
from shared.errors import InvalidMessage

MAX_FIELD = 10_000
MAX_ROWS = 200_000

_COLUMNS = {
    "contact": "contact", "id": "contact", "contact_id": "contact", "contactid": "contact", "person": "contact",
    "person_id": "contact", "personid": "contact", "kontakt": "contact",
    "name": "name", "navn": "name", "full name": "name", "fullt navn": "name",
    "company": "company", "firma": "company", "bedrift": "company", "organisation": "company", "selskap": "company",
    "email": "address", "e-mail": "address", "e-post": "address", "epost": "address", "address": "address",
    "e-postadresse": "address", "email address": "address", "e-mail address": "address", "mail": "address",
}  # fmt: skip
"""Names of columns in English and Norwegian, and what they hold. Several columns may hold addresses."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not imported: its line in the file, counted from 1, and what is wrong with it."""

    line: int
    problem: str


def read(body: bytes, now: datetime) -> Iterator[ContactUpserted | BadRow]:
    """Yield a contact or a refusal for each row after the header.

    UTF-8 (with or without BOM) or Windows-1252; comma, semicolon or tab. Raises `InvalidMessage` when the header names
    no contact or no address.
    """
    text = _text(body)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = next(rows, [])
        meaning = [_COLUMNS.get(name.strip().lower()) for name in header]
        if "contact" not in meaning or "address" not in meaning:
            raise InvalidMessage(
                f"header: needs a column contact (or id, person) and a column email (or e-post); found {header[:20]}"
            )
        for row in rows:
            if rows.line_num > MAX_ROWS:
                raise InvalidMessage(f"file: more than {MAX_ROWS} lines; import it in parts")
            if any(field.strip() for field in row):
                yield _contact(row, meaning, rows.line_num, now)
    except csv.Error as error:
        yield BadRow(rows.line_num, f"not readable as CSV from here on: {error}")


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
        return ContactUpserted.model_validate(values | {"addresses": addresses, "time": now})
    except ValidationError as error:
        fault = error.errors()[0]
        return BadRow(line, f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}")


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _delimiter(text: str) -> str:
    header = text.split("\n", 1)[0]
    return max(",;\t", key=header.count)
