"""RE2 patterns over bytes, asked for positions alone: time linear in the text, and little around each call.

`re2.compile` counts characters, fetches groups by name from the compiled pattern each time, and is a generator: it
takes two to four times what RE2 itself does on a line. What is asked of every line and every mail is asked here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import re2

Spans = Sequence[tuple[int, int]]
"""Where the match and each group begin and end, in bytes; (-1, -1) for a group that is not part of it."""


def searcher(pattern: str, *, anchored: bool = False) -> Callable[[bytes], Spans | None]:
    """Return what finds the first match in UTF-8 bytes, or at their beginning alone. Raises `re2.error`.

    >>> searcher("b(c)?")(b"abd")
    [(1, 2), (-1, -1)]
    """
    compiled = re2.compile(pattern)
    raw = getattr(compiled, "_regexp", None)
    if raw is None:  # another release of the wrapper
        return _by_wrapper(compiled, anchored=anchored)
    match = raw.Match
    anchor = re2._Anchor.ANCHOR_START if anchored else re2._Anchor.UNANCHORED

    def found(data: bytes) -> Spans | None:
        spans: Spans = match(anchor, data, 0, len(data))
        return spans if spans[0][0] >= 0 else None

    return found


def _by_wrapper(compiled: Any, *, anchored: bool) -> Callable[[bytes], Spans | None]:
    def found(data: bytes) -> Spans | None:
        match = compiled.match(data) if anchored else compiled.search(data)
        return [match.span(group) for group in range(compiled.groups + 1)] if match else None

    return found


def group_numbers(pattern: str) -> dict[str, int]:
    """Return the numbers of the pattern's named groups."""
    return dict(re2.compile(pattern).groupindex)


def finder(patterns: Iterable[str | bytes], options: Any = None) -> Callable[[bytes], Sequence[int] | None]:
    """Return what gives the numbers of the patterns that are in the bytes, in one pass; nothing when none is.

    Raises `re2.error` when a pattern is none.
    """
    automaton = re2.Set.SearchSet(options) if options is not None else re2.Set.SearchSet()
    empty = True
    for pattern in patterns:
        automaton.Add(pattern)
        empty = False
    if empty:
        return lambda _: None
    automaton.Compile()
    found: Callable[[bytes], Sequence[int] | None] = getattr(automaton, "_set", automaton).Match
    return found


def words_finder(words: Iterable[str]) -> Callable[[bytes], Sequence[int] | None]:
    """Return the same for words that stand for themselves."""
    return finder(map(re2.escape, words))
