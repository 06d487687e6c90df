"""Patterns of domains: one form each, and which of them match a domain."""

import pytest
from hypothesis import given, strategies as st

from returpost.contracts.domains import normalise_pattern, patterns_of
from returpost.errors import InvalidAddress

pytestmark = pytest.mark.unit
LABELS = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Example.COM", "example.com"),
        ("@example.com.", "example.com"),
        (" *.Example.com ", "*.example.com"),
        ("blåbær.no", "xn--blbr-roah.no"),
        ("*.blåbær.no", "*.xn--blbr-roah.no"),
        ("*.xyz", "*.xyz"),
    ],
)
def test_a_pattern_has_one_form(text: str, pattern: str) -> None:
    assert normalise_pattern(text) == pattern


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "*.*.com", "mail*.example.com", "ann@example.com", "a b.com", "x..com", "-x.com", "\x00.com"],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddress):
        normalise_pattern(text)


def test_patterns_of_a_domain_the_closest_first() -> None:
    assert patterns_of("a.b.example.com") == ["a.b.example.com", "*.b.example.com", "*.example.com", "*.com"]
    assert patterns_of("localhost") == ["localhost"]


@given(LABELS, LABELS)
def test_a_wildcard_matches_exactly_what_ends_with_it(below: list[str], of: list[str]) -> None:
    domain, parent = ".".join([*below, *of]), ".".join(of)
    assert f"*.{parent}" in patterns_of(domain)
    assert f"*.{parent}" not in patterns_of(parent)
    assert all(pattern == domain or domain.endswith(pattern[1:]) for pattern in patterns_of(domain))
