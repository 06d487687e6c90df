"""Pictures of filled rectangles as PNG, for mail programs, most of which show no SVG.

https://www.w3.org/TR/png-3/: indexed colour with eight bits a pixel, which is all that a chart of bars needs.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence

Colour = tuple[int, int, int]
Rectangle = tuple[int, int, int, int, int]
"""Left, top, width, height, and the number of the colour."""

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(width: int, height: int, colours: Sequence[Colour], rectangles: Iterable[Rectangle]) -> bytes:
    """Return a picture in the first colour with rectangles on it; what is outside of the picture is left out."""
    rows = [bytearray(width) for _ in range(height)]
    for left, top, wide, high, colour in rectangles:
        begin, end = max(left, 0), min(left + wide, width)
        for row in rows[max(top, 0) : max(min(top + high, height), 0)]:
            if end > begin:
                row[begin:end] = bytes([colour]) * (end - begin)
    lines = b"".join(b"\0" + bytes(row) for row in rows)  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    palette = b"".join(bytes(colour) for colour in colours)
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
