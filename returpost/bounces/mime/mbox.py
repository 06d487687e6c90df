"""The mbox format: cut at `From ` lines after an empty line (RFC 4155), one `>` taken off quoted ones (mboxrd)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its number from 1, its size, and as much of it as was asked for."""

    number: int
    size: int
    content: bytes


def messages(lines: Iterable[bytes], most: int) -> Iterator[Message]:
    """Yield the messages of an mbox, each with at most `most` bytes of its content."""
    kept = bytearray()  # not a list: a message of short lines would take many times its size
    number, size, after_empty = 0, 0, True
    for line in lines:
        if after_empty and line.startswith(b"From "):
            if number:
                yield Message(number, size, bytes(kept))
            number, size, kept = number + 1, 0, bytearray()
        else:
            size += len(line)
            if size <= most:
                kept += line[1:] if line.lstrip(b">").startswith(b"From ") and line[:1] == b">" else line
        after_empty = not line.strip(b"\r\n")
    if number:
        yield Message(number, size, bytes(kept))
