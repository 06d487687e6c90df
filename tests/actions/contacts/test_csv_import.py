"""Contacts from CSV: what a row means, and how a wrong one is told."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import ContactUpsert
from returpost.errors import InvalidMessage
from services.actions.contacts.csv_import import MAX_LINES, BadRow, read

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def split(body: bytes) -> tuple[list[ContactUpsert], list[BadRow]]:
    items = list(read(body, NOW))
    good = [item for item in items if isinstance(item, ContactUpsert)]
    return good, [item for item in items if isinstance(item, BadRow)]


def contacts(text: str | bytes) -> list[tuple[str, str | None, str | None, list[str] | None]]:
    good, bad = split(text.encode() if isinstance(text, str) else text)
    assert not bad
    assert {one.time for one in good} <= {NOW}
    return [(one.contact, one.name, one.company, one.addresses) for one in good]


ANN = ("c1", "Ånn", "Ørn AS", ["ann@example.com"])
ROWS = "contact{0}navn{0}firma{0}e-post\nc1{0}Ånn{0}Ørn AS{0}ann@Example.com\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_delimiters_encodings_and_line_ends(delimiter: str, encoding: str, line_end: str) -> None:
    text = ROWS.format(delimiter).replace("\n", line_end)
    assert contacts(text.encode(encoding)) == [ANN]


def test_what_excel_writes_before_the_header() -> None:
    assert contacts("sep=;\r\n" + ROWS.format(";")) == [ANN]
    assert contacts("\ufeffsep=\t\n" + ROWS.format("\t")) == [ANN]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("ID,Full name,Company,E-mail", "c1,Ånn,Ørn AS,ann@example.com"),
        (" person_id , NAVN,Bedrift,E-postadresse", "c1,Ånn,Ørn AS,ann@example.com"),
        ('"contact","name","organisation","email","phone"', 'c1,"Ånn","Ørn AS",ann@example.com,99'),
        ("email,selskap,name,kontakt", " ann@example.com ,Ørn AS,Ånn,c1"),
    ],
)
def test_columns_in_english_and_norwegian(header: str, row: str) -> None:
    assert contacts(f"{header}\n{row}\n") == [ANN]


def test_several_addresses_and_rows_of_one_contact_are_united() -> None:
    text = "id,name,email,mail\nc1,Ann,a@x.no,b@x.no\nc2,Bo,,\nc1,,c@x.no,\nc1,Anne,,\n"
    assert contacts(text) == [
        ("c1", "Anne", None, ["a@x.no", "b@x.no", "c@x.no"]),
        ("c2", "Bo", None, None),
    ]


def test_fields_may_have_quotes_delimiters_and_lines() -> None:
    text = 'id;name;email\nc1;"Ann ""A"";\nBerg";a@x.no\n\n;;\nc2;Bo 5" disk;b@x.no\nc3\n'
    assert contacts(text) == [
        ("c1", 'Ann "A";\nBerg', None, ["a@x.no"]),
        ("c2", 'Bo 5" disk', None, ["b@x.no"]),
        ("c3", None, None, None),
    ]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("c1,Ann,nobody", "addresses.0: "),
        ("c1,Ann,a@b c.no", "addresses.0: "),
        (",Ann,a@x.no", "contact: Field required"),
        ("c\x001,Ann,a@x.no", "contact: "),
        (f"{'c' * 201},Ann,a@x.no", "contact: "),
        (f"c1,{'A' * 401},a@x.no", "name: "),
        ("c1,A\x00nn,a@x.no", "name: "),
        ('c1,"Ann,a@x.no', "not readable as CSV"),
        ('c1,"Ann" Berg,a@x.no', "not readable as CSV"),
        (f"c1,{'A' * 200_000},a@x.no", "not readable as CSV"),
    ],
    ids=["no-at", "domain", "no-contact", "nul-contact", "long-contact", "long-name", "nul", "open", "torn", "huge"],
)
def test_a_bad_row_is_named_and_stops_no_other(row: str, problem: str) -> None:
    good, bad = split(f'id,name,email\nc8,"Eve\nB",e@x.no\n{row}\nc9,"Bo",b@x.no\n'.encode())
    assert [one.contact for one in good] == ["c8", "c9"]
    assert [one.line for one in bad] == [4]
    assert bad[0].problem.startswith(problem)


def test_an_open_quote_takes_no_row_after_it() -> None:
    good, bad = split(b'id,name,email\nc1,"Ann,a@x.no\n' + b"".join(b"c%d,N,u@x.no\n" % n for n in range(2, 60)))
    assert len(good) == 58
    assert bad == [BadRow(2, "a quote that is opened here is not closed")]


def test_a_contact_has_a_bounded_number_of_addresses() -> None:
    rows = "".join(f"c1,u{n}@x.no\n" for n in range(101))
    good, bad = split(f"id,email\n{rows}".encode())
    assert [len(one.addresses or ()) for one in good] == [100]
    assert [one.line for one in bad] == [102]


@pytest.mark.parametrize(
    "body",
    [b"", b"\n\n", b"name,phone\nAnn,1\n", b"id,name\nc1,Ann\n", b"email\na@x.no\n", b'"id,email\n', b"\x00\xff\xfe"],
)
def test_a_file_without_a_header_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidMessage, match="header"):
        next(read(body, NOW))


def test_too_many_lines_are_refused_before_the_first_contact() -> None:
    with pytest.raises(InvalidMessage, match="more than"):
        next(read(b"id,email\n" + b"c1,a@x.no\n" * MAX_LINES, NOW))


FIELDS = st.sampled_from(['"', ",", "\n", "\r\n", "a@x.no", "c1", "c2", "x", "\x00", "å", '""', ' "'])


@given(st.lists(FIELDS, max_size=60))
def test_whatever_comes_every_line_is_looked_at(parts: Sequence[str]) -> None:
    text = "".join(parts)
    end = "" if text.endswith(("\n", "\r")) or not text else "\n"
    good, bad = split(f"id,name,email\n{text}{end}last,Z,z@x.no\n".encode())
    assert "last" in {one.contact for one in good}
    lines = text.count("\n") + 3
    assert all(2 <= one.line <= lines for one in bad)
    assert len(good) + len(bad) <= lines


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        list(read(body, NOW))
    except InvalidMessage:
        return
    split(b"id,email\n" + body)
