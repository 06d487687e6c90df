"""What `returpost send` is given: delivery results as JSON, and mails as files, mboxes and Maildirs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from returpost.bounces.mime.mbox import messages
from returpost.errors import InvalidSettings

CHUNK_ROWS = 2_000
"""Results a request."""
CHUNK_BYTES = 4 * 1024 * 1024
JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
MBOX_ENDINGS = (".mbox", ".mbx")
MAX_MAIL = 10 * 1024 * 1024
"""What ingest takes; a larger file is named and left out."""
MAX_JSON = 512 * 1024 * 1024
MAX_LINE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Results:
    """Some delivery results, a JSON text each."""

    origin: str
    first: int
    """Number of the first one in its file, counted from 1."""
    rows: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it was received."""

    origin: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that is neither, and why."""

    origin: str
    problem: str


Item = Results | Mail | Unreadable


def read_path(path: Path) -> Iterator[Item]:
    """Yield what is in a file, an mbox, a Maildir or all files of a folder. Raises `InvalidSettings` if not there."""
    if not path.exists():
        raise InvalidSettings(f"{path}: no such file or folder")
    if path.is_dir():
        if _is_maildir(path):
            yield from _maildir(path)
        else:
            for child in sorted(path.iterdir()):
                if not child.name.startswith("."):
                    yield from read_path(child)
        return
    with path.open("rb") as file:
        yield from read_stream(file, str(path))


def read_stream(file: BinaryIO, origin: str) -> Iterator[Item]:
    """Yield what a file holds, told by its name or else by how it begins."""
    first = next((line for line in iter(lambda: file.readline(MAX_LINE), b"") if line.strip()), b"")
    name = origin.lower()
    if name.endswith(JSON_ENDINGS) or first.lstrip()[:1] in (b"{", b"["):
        yield from _results(first, file, origin)
    elif name.endswith(MBOX_ENDINGS) or first.startswith(b"From "):
        yield from _mbox(chain([first], file), origin)
    else:
        content = first + file.read(MAX_MAIL + 1)
        yield Mail(origin, content) if 0 < len(content) <= MAX_MAIL else _refused(origin, len(content))


def _results(first: bytes, file: BinaryIO, origin: str) -> Iterator[Item]:
    if not first:
        yield Unreadable(origin, "empty")
        return
    if isinstance(_json(first), dict):
        lines = enumerate(chain([first], file), 1)
        yield from _chunked(((number, line) for number, line in lines if line.strip()), origin)
        return
    values = _json(first + file.read(MAX_JSON))  # a list, or one object over several lines
    if isinstance(values, dict | list):
        listed = values if isinstance(values, list) else [values]
        yield from _chunked(((number, json.dumps(value).encode()) for number, value in enumerate(listed, 1)), origin)
    else:
        yield Unreadable(origin, "neither one JSON object, a JSON list nor JSON lines")


def _chunked(numbered: Iterator[tuple[int, bytes]], origin: str) -> Iterator[Results]:
    first, size = 1, 0
    rows: list[bytes] = []
    for number, row in numbered:
        if rows and (len(rows) == CHUNK_ROWS or size + len(row) > CHUNK_BYTES):
            yield Results(origin, first, tuple(rows))
            rows, size = [], 0
        first = number if not rows else first
        rows.append(row.strip())
        size += len(row)
    if rows:
        yield Results(origin, first, tuple(rows))


def _mbox(lines: Iterator[bytes], origin: str) -> Iterator[Item]:
    for one in messages(lines, MAX_MAIL):
        place = f"{origin}#{one.number}"
        yield Mail(place, one.content) if 0 < one.size <= MAX_MAIL else _refused(place, one.size)


def _maildir(path: Path) -> Iterator[Item]:
    for folder in ("new", "cur"):
        for file in sorted((path / folder).iterdir()):
            if not file.name.startswith("."):
                with file.open("rb") as opened:
                    content = opened.read(MAX_MAIL + 1)
                yield Mail(str(file), content) if 0 < len(content) <= MAX_MAIL else _refused(str(file), len(content))


def _is_maildir(path: Path) -> bool:
    return all((path / folder).is_dir() for folder in ("new", "cur"))


def _refused(origin: str, size: int) -> Unreadable:
    return Unreadable(origin, f"larger than {MAX_MAIL // 1024 // 1024} MB" if size else "empty")


def _json(text: bytes) -> Any:
    """Return the value, or nothing when it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
