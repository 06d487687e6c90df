"""Pictures of one size as one that moves: animated PNG, https://www.w3.org/TR/png-3/#apng-frame-based-animation."""

import struct
import zlib
from collections.abc import Iterator, Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MILLISECONDS = 1000


def animated(frames: Sequence[tuple[bytes, int]]) -> bytes:
    """Return frames (each a PNG, and how many milliseconds it is shown) as one PNG that plays them again and again.

    Raises `ValueError` when they are not of one size and kind.
    """
    heads = {chunks["IHDR"] for chunks in (_chunks(png) for png, _ in frames)}
    if len(heads) != 1:
        raise ValueError(f"frames: {len(heads)} sizes or kinds; all have to be of one")
    (head,) = heads
    made = [SIGNATURE, _chunk(b"IHDR", head), _chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    numbers = iter(range(len(frames) * 2))
    for place, (png, milliseconds) in enumerate(frames):
        control = struct.pack(">I8sIIHHBB", next(numbers), head[:8], 0, 0, milliseconds, MILLISECONDS, 0, 0)
        made.append(_chunk(b"fcTL", control))
        data = _chunks(png)["IDAT"]
        made.append(_chunk(b"fdAT", struct.pack(">I", next(numbers)) + data) if place else _chunk(b"IDAT", data))
    return b"".join([*made, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(png: bytes) -> dict[str, bytes]:
    """Return the data of each kind of chunk, those of one kind together."""
    found: dict[str, bytes] = {}
    for kind, data in _each(png):
        found[kind] = found.get(kind, b"") + data
    return found


def _each(png: bytes) -> Iterator[tuple[str, bytes]]:
    place = len(SIGNATURE)
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        yield png[place + 4 : place + 8].decode("ascii"), png[place + 8 : place + 8 + length]
        place += length + 12
