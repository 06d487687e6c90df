"""Lists are read in linear time and bounded memory, whatever they are."""

import time

import pytest
from hypothesis import given, strategies as st

from services.blocklist.suppression_files.entry import Entry, Fault
from services.blocklist.suppression_files.lines import MAX_LINE, LineSplitter
from services.blocklist.suppression_files.reader import Found, ListReader


def read(data: bytes, size: int) -> list[Found]:
    reader, found = ListReader(), list[Found]()
    for start in range(0, len(data), size):
        found += reader.feed(data[start : start + size])
    return found + list(reader.end())


def split(data: bytes, size: int) -> list[bytes]:
    splitter, lines = LineSplitter(), list[bytes]()
    for start in range(0, len(data), size):
        lines += splitter.feed(data[start : start + size])
    return lines + list(splitter.end())


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))), st.integers(1, 50))
def test_lines_are_those_that_split_tells(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    assert split(data, size) == data.split(b"\n")[: None if lines and lines[-1] else -1]


@pytest.mark.parametrize("size", [1_000, 65_536, 1_000_000])
def test_a_line_that_is_too_long_is_cut_and_the_next_is_whole(size: int) -> None:
    assert split(b"x" * 1_000_000 + b"\nann@example.com", size) == [b"x" * (MAX_LINE + 1), b"ann@example.com"]


@pytest.mark.parametrize("size", [1_000, 65_536])
def test_a_quotation_mark_that_is_never_closed_spoils_its_own_row_alone(size: int) -> None:
    rows = b"".join(b"u%d@example.com\n" % n for n in range(10_000))
    found = read(b'email\n"ann@example.com\n' + rows, size)
    assert [one.row for one in found if isinstance(one, Fault)] == [1]
    assert [one.address for one in found if isinstance(one, Entry)] == rows.decode().split()


@pytest.mark.parametrize(
    "unit",
    [b'"a@b.c\n', b'"\n', b"\n", b"x", b'{"a":\n', b"[", b'[{"a":"', b"[,", b'"items"', b"a@b.c,\n", b'""""', b"\\"],
)
def test_twice_as_much_takes_about_twice_as_long(unit: bytes) -> None:
    def seconds(number: int) -> float:
        data, begun = unit * number, time.process_time()
        read(data, 16_384)
        return time.process_time() - begun

    few = 200_000 // len(unit)
    one, four = min(seconds(few) for _ in range(2)), min(seconds(4 * few) for _ in range(2))
    assert four < 9 * one + 0.05, f"{one:.3f} s, four times as much {four:.3f} s"
