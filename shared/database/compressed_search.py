"""Whether bytes say one of some texts, which are given in small letters, also when they are packed.

What is unpacked is looked at as it comes, and never held as a whole.
"""

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import IO, Final

AT_ONCE: Final = 1024 * 1024
"""Bytes that are unpacked and looked at together."""
_ZIP: Final = b"PK\x03\x04"
_BAD_ZIP: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What `zipfile` raises for what is none, is damaged, or is packed in a way that it does not know."""


def says(data: bytes, wanted: Sequence[str]) -> bool:
    """Say whether bytes have one of the texts: as they are, or packed by zlib or gzip."""
    return _says(unpacked(data), wanted)


def file_says(file: IO[bytes], wanted: Sequence[str]) -> bool:
    """Say whether a file has one of the texts: as it is, or in one of its parts if it is a ZIP, as Excel's are."""
    file.seek(0)
    if file.read(len(_ZIP)) == _ZIP:
        try:
            with zipfile.ZipFile(file) as package:
                if any(_member_says(package, one, wanted) for one in package.infolist()):
                    return True
        except _BAD_ZIP:
            pass
    file.seek(0)
    return _says(_parts(file), wanted)


def unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what bytes were before they were packed by zlib or gzip, part by part; themselves if they were not."""
    packer = zlib.decompressobj(wbits=47)
    try:
        first = packer.decompress(data, AT_ONCE)
    except zlib.error:
        yield data
        return
    yield first
    try:
        while packer.unconsumed_tail:
            yield packer.decompress(packer.unconsumed_tail, AT_ONCE)
    except zlib.error:
        yield data


def _member_says(package: zipfile.ZipFile, member: zipfile.ZipInfo, wanted: Sequence[str]) -> bool:
    with package.open(member) as content:
        return _says(_parts(content), wanted)


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(file.read, AT_ONCE), b"")


def _says(parts: Iterable[bytes], wanted: Sequence[str]) -> bool:
    """Look at parts that follow each other; a text may begin in one and end in the next."""
    overlap, rest = max(len(text) for text in wanted) * 4, b""
    for part in parts:
        seen = rest + part
        text = seen.decode("utf-8", "replace").lower()
        if any(one in text for one in wanted):
            return True
        rest = seen[-overlap:]
    return False
