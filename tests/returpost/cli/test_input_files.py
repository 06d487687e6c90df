"""What `returpost send` makes of files, folders, mboxes, Maildirs and streams."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from returpost.cli import input_files
from returpost.cli.input_files import CHUNK_ROWS, Mail, Results, Unreadable, read_path, read_stream
from returpost.cli.submit.send import sent_by
from returpost.errors import InvalidSettings

MAIL = b"From: a@example.com\nSubject: x\n\nHello\n"
ROW = {"mailing": "m", "address": "ann@example.com"}


def read(content: bytes, name: str = "-") -> list[input_files.Item]:
    return list(read_stream(io.BytesIO(content), name))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROW),
        json.dumps(ROW, indent=2),
        json.dumps(ROW) + "\n",
        "\n\n" + json.dumps(ROW),
        "[" + json.dumps(ROW) + "]",
        json.dumps([ROW], indent=4),
    ],
)
def test_one_result_in_any_form(content: str) -> None:
    (found,) = read(content.encode())
    assert isinstance(found, Results)
    assert [json.loads(row) for row in found.rows] == [ROW]


def test_lines_are_cut_into_requests_and_keep_their_numbers() -> None:
    content = b"".join(b'{"n": %d}\n%s' % (n, b"\n" if n % 3 else b"") for n in range(CHUNK_ROWS + 5))
    first, second = read(content)
    assert isinstance(first, Results)
    assert isinstance(second, Results)
    assert (len(first.rows), len(second.rows)) == (CHUNK_ROWS, 5)
    lines = content.split(b"\n")
    assert json.loads(lines[second.first - 1]) == json.loads(second.rows[0])


def test_a_broken_line_is_left_to_ingest_which_names_it() -> None:
    (found,) = read(b'{"a": 1}\n{broken\n{"b": 2}\n')
    assert isinstance(found, Results)
    assert found.rows[1] == b"{broken"


@pytest.mark.parametrize("content", [b"[1, 2", b"{\n", b"[" * 100_000])
def test_what_begins_like_json_and_is_none_is_named(content: bytes) -> None:
    (found,) = read(content, "x.json")
    assert isinstance(found, Unreadable)


@pytest.mark.parametrize("name", ["x.eml", "-", "x"])
def test_a_mail(name: str) -> None:
    assert read(MAIL, name) == [Mail(name, MAIL)]


def test_an_mbox_is_cut_and_its_quoting_undone() -> None:
    second = b"From: b@example.com\n\n>From here\n>>From there\nFrom in the middle\n\n"
    found = read(b"From a@example.com Thu Jan  1 00:00:00 2026\n" + MAIL + b"\nFrom x\n" + second)
    assert found == [
        Mail("-#1", MAIL + b"\n"),
        Mail("-#2", b"From: b@example.com\n\nFrom here\n>From there\nFrom in the middle\n\n"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("x.eml", b"", "empty"),
        ("x.json", b"", "empty"),
        ("x.eml", b"a" * (input_files.MAX_MAIL + 1), "larger"),
        ("x.mbox", b"From x\n" + b"a\n" * input_files.MAX_MAIL, "larger"),
    ],
)
def test_what_is_too_small_or_too_large_is_named(name: str, content: bytes, problem: str) -> None:
    (found,) = read(content, name)
    assert isinstance(found, Unreadable)
    assert problem in found.problem


def test_a_folder_with_everything(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(MAIL)
    (tmp_path / "b.jsonl").write_text(json.dumps(ROW))
    (tmp_path / ".hidden").write_text("no")
    for name in ("new", "cur", "tmp"):
        (tmp_path / "c" / name).mkdir(parents=True)
    (tmp_path / "c" / "cur" / "1:2,S").write_bytes(MAIL)
    (tmp_path / "c" / "new" / "2").write_bytes(b"")
    found = list(read_path(tmp_path))
    assert [type(item) for item in found] == [Mail, Results, Unreadable, Mail]


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="nowhere"):
        list(read_path(tmp_path / "nowhere"))


@given(st.binary(max_size=2_000), st.sampled_from(["-", "x.json", "x.mbox", "x.eml"]))
def test_no_bytes_break_it(content: bytes, name: str) -> None:
    for item in read(content, name):
        assert isinstance(item, Results | Mail | Unreadable)


@pytest.mark.parametrize(
    ("row", "sent"),
    [
        (b'{"mailing":"m"}', {"sender": "newsletter", "mailing": "m"}),
        (b'{"mailing":"m","sender":"invoices"}', {"sender": "invoices", "mailing": "m"}),
    ],
)
def test_a_result_is_of_the_sender_that_hands_it_in(row: bytes, sent: dict[str, str]) -> None:
    assert json.loads(sent_by(row, "newsletter")) == sent
    assert sent_by(row, "default") == row
    assert sent_by(b"[1", "newsletter") == b"[1"
