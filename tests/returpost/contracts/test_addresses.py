"""Addresses: what is one, and when two are the same."""

import re

import pytest
from hypothesis import given, strategies as st

from returpost.contracts.addresses import domain_of, key, normalise
from returpost.errors import InvalidAddress


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann@Example.COM", "Ann@example.com"),
        (" ann@example.com. ", "ann@example.com"),
        ("kåre@blåbær.example", "kåre@xn--blbr-roah.example"),
        ('"ann hansen"@example.com', '"ann hansen"@example.com'),
        ("a..b.@example.com", "a..b.@example.com"),
        ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
        ("user+tag@sub.example.co.uk", "user+tag@sub.example.co.uk"),
        ("ann@faß.example", "ann@xn--fa-hia.example"),
        ("Ann Berg <Ann@Example.com>", "Ann@example.com"),
        ('"Berg, Ann <x@y.z>" < ann@blåbær.example > ', "ann@xn--blbr-roah.example"),
        ("<ann@example.com>", "ann@example.com"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "ann", "@example.com", "ann@", "a b@example.com", "ann@exa mple.com", "ann@-example.com", "ann@example..com",
     "a\x00nn@example.com", "ann@example.com\nBcc: x@example.com", "x" * 65 + "@example.com",
     "ann@" + "x" * 64 + ".com",
     "ann@example.com>", "<>", "<ann@example.com> x", "ann@" + "a." * 130 + "com", "ann\udc80@example.com"],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        normalise(text)


def test_two_spellings_have_one_key() -> None:
    assert key(normalise("Ann.Hansen@EXAMPLE.com")) == key(normalise("ann.hansen@example.com"))
    assert domain_of("ann@example.com") == "example.com"


@given(st.text(max_size=300))
def test_normalising_is_final_or_refused(text: str) -> None:
    try:
        once = normalise(text)
    except InvalidAddress:
        return
    assert normalise(once) == once


@given(st.from_regex(r"[A-Za-z0-9.!+_-]{1,70}@[A-Za-z0-9_-]{1,65}(\.[A-Za-z0-9-]{1,65}){0,3}\.?", fullmatch=True))
def test_what_is_recognised_at_once_is_judged_like_the_rest(text: str) -> None:
    """A blank before it sends the same address the long way."""
    try:
        expected = normalise(f" {text}")
    except InvalidAddress as refused:
        with pytest.raises(InvalidAddress, match=re.escape(str(refused))):
            normalise(text)
    else:
        assert normalise(text) == expected
