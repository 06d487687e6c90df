"""Whether bytes say a text, in whatever way they are packed and wherever the text stands in them."""

import gzip
import random
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest

from shared.database.compressed_search import AT_ONCE, file_says, says
from shared.database.residual_search import forms

WANTED = forms("o'brien@blåbær.example")
SAID = "O'Brien@BLÅBÆR.example"
BEFORE = [0, AT_ONCE - 12, AT_ONCE, 3 * AT_ONCE - 9]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("pack", [bytes, zlib.compress, gzip.compress])
def test_a_text_is_found_wherever_it_stands(before: int, pack: Callable[[bytes], bytes]) -> None:
    for said, there in ((SAID, True), ("o'brien@example.com", False)):
        plain = b"x" * before + said.encode() + b"y" * AT_ONCE
        assert says(pack(plain), WANTED) is there
        assert file_says(BytesIO(plain), WANTED) is there


def package(content: bytes) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("first.xml", random.Random(1).randbytes(1_000))
        written.writestr("second.xml", content)
    return file.getvalue()


@pytest.mark.parametrize("before", BEFORE)
def test_the_parts_of_a_package_are_read(before: int) -> None:
    made = package(b"x" * before + b"<t>O&#x27;Brien@BL\xc3\x85B\xc3\x86R.example</t>")
    assert SAID.lower().encode() not in made
    assert file_says(BytesIO(made), WANTED)
    assert not file_says(BytesIO(package(b"x" * before)), WANTED)


def test_a_damaged_package_is_searched_as_it_is() -> None:
    assert file_says(BytesIO(package(b"")[:50] + SAID.encode()), WANTED)
