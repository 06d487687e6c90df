"""RE2 with little around it finds what its wrapper finds."""

import pytest
import re2
from hypothesis import given, strategies as st

from returpost import linear_patterns
from returpost.linear_patterns import finder, group_numbers, searcher, words_finder

PATTERNS = (
    r"(?i)host (?P<host>\S+) said: (?P<reply>.*)",
    r"a(b)?(c|å)*",
    r"^x$",
    r"",
    r"(?is)(?P<code>[45]\d\d) .*?(é+)",
)
TEXTS = st.text(alphabet="abcåéx 45host mx.said:\n", max_size=60) | st.text(max_size=40)


def _spans(pattern: str, data: bytes, *, anchored: bool) -> list[tuple[int, int]] | None:
    compiled = re2.compile(pattern)
    found = compiled.match(data) if anchored else compiled.search(data)
    return [found.span(number) for number in range(compiled.groups + 1)] if found else None


@given(pattern=st.sampled_from(PATTERNS), text=TEXTS, anchored=st.booleans())
def test_searcher_finds_what_the_wrapper_finds(pattern: str, text: str, anchored: bool) -> None:
    data = text.encode()
    wanted = _spans(pattern, data, anchored=anchored)
    found = searcher(pattern, anchored=anchored)(data)
    assert (found and list(found)) == wanted
    by_wrapper = linear_patterns._by_wrapper(re2.compile(pattern), anchored=anchored)(data)
    assert (by_wrapper and list(by_wrapper)) == wanted


@given(text=TEXTS)
def test_finder_finds_each_pattern_by_itself(text: str) -> None:
    data = text.encode()
    wanted = {number for number, pattern in enumerate(PATTERNS) if re2.search(pattern, data)}
    assert set(finder(PATTERNS)(data) or ()) == wanted


@given(text=TEXTS)
def test_words_finder_takes_words_as_they_are(text: str) -> None:
    words = ("a.b", "(4", "[x]", "said:", "å")
    assert set(words_finder(words)(text.encode()) or ()) == {n for n, word in enumerate(words) if word in text}


def test_finder_of_no_patterns_finds_nothing() -> None:
    assert not finder(())(b"anything")


def test_patterns_that_are_none_are_refused() -> None:
    with pytest.raises(re2.error):
        searcher("(")
    with pytest.raises(re2.error):
        finder(["("])


def test_group_numbers_are_those_of_the_names() -> None:
    assert group_numbers(PATTERNS[0]) == {"host": 1, "reply": 2}
