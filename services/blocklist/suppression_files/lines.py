"""Bytes that come in pieces, cut into lines in linear time, whatever the pieces and the lines are."""

from collections.abc import Iterator
from typing import Final

MAX_LINE: Final = 65_536
"""Bytes."""


class LineSplitter:
    """Yields lines without their line feed. Of one that is too long it yields the first `MAX_LINE` + 1 bytes."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; yield the lines that are whole by now."""
        first, *others = data.split(b"\n")
        self._keep(first)
        if not others:
            return
        yield self._line()
        *whole, rest = others
        for line in whole:
            yield line[: MAX_LINE + 1]
        self._keep(rest)

    def end(self) -> Iterator[bytes]:
        """Yield what is left, if anything is."""
        if self._size:
            yield self._line()

    def _keep(self, part: bytes) -> None:
        if part and (room := MAX_LINE + 1 - self._size) > 0:
            self._parts.append(part[:room])
            self._size += len(self._parts[-1])

    def _line(self) -> bytes:
        line = b"".join(self._parts)
        self._parts, self._size = [], 0
        return line
