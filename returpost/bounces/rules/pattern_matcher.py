"""The words of all rules in one automaton, and which rules' words are there."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import reduce
from operator import or_
from typing import Any

import re2

from returpost.bounces.rules.model import Rule
from returpost.bounces.rules.patterns import FEWER, MEMORY, options
from returpost.linear_patterns import finder

Search = Callable[[str], str]
"""Gives what is found of a pattern in a text; nothing when it is not."""
CandidateRules = tuple[tuple[int, Search | None], ...]
MAX_FOLLOWED = 20_000
"""Sets of patterns found whose rules are kept."""
_JUST_WORDS = re.compile(r"[^\\^$.|?*+()\[\]{}]+")
_TO_RE2 = re.compile(r"[)\].][*+]|\)\{|\{\d*,\}|\[\[:|\\[pPCQzA]|\(\?")
"""Repeats of more than a kind of letter, and what `re` would read in another way."""


class Words:
    """The patterns of all rules in one automaton, each by itself.

    Taken one by one, patterns share their beginnings, and the automaton stays small: as alternatives of one pattern a
    rule, ten times as many states are made when texts are new, and each rule more makes more of them.

    Which rules hold is told by sets of bits, the first rule's the lowest: of rules that have a pattern found among
    their words, among what must be there too, and among what must not, side by side in one number for each pattern.
    What follows from a set of patterns found is worked out when it is first found, as the states of the automaton are.
    """

    def __init__(self, rules: Sequence[Rule], memory: int = MEMORY) -> None:
        """Compile all; `memory` bounds the automaton. Raises `re2.error` when a pattern is none."""
        width = len(rules)
        self._shifts = width, 2 * width
        self._all = (1 << width) - 1
        wanted: dict[str, int] = {}
        self._always = self._alone = 0
        for index, rule in enumerate(rules):
            for place, patterns in enumerate((rule.patterns, rule.also, rule.unless)):
                for pattern in patterns:
                    wanted[pattern] = wanted.get(pattern, 0) | 1 << index + place * width
            self._always |= (not (rule.patterns or rule.provider_codes or rule.suppressed)) << index
            self._alone |= (not rule.also) << index
        self._wanting = list(wanted.values())
        self._patterns = list(wanted)
        self._searches: dict[int, Search] = {}
        self._followed: dict[tuple[Any, ...], CandidateRules] = {}
        self._find = _automaton(self._patterns, re2.Options.Encoding.UTF8, memory // FEWER)
        ascii_only = [_without_other(pattern) for pattern in self._patterns]
        self._find_in_ascii = _automaton(ascii_only, re2.Options.Encoding.LATIN1, memory)

    def matching_rules(self, text: str, codes: int = 0) -> CandidateRules:
        """Return the rules whose words are there, and theirs that must be, and none that must not; the first at first.

        Each with the search for its words, or None when it asks for none. `codes` are the rules, a bit each, whose
        codes of a provider are there.
        """
        if text.isascii():
            found = tuple(self._find_in_ascii(text.encode()) or ())
        else:
            found = tuple(self._find(text.encode("utf-8", "replace")) or ())
        key = (found, codes) if codes else found
        if (matching_rules := self._followed.get(key)) is None:
            if len(self._followed) >= MAX_FOLLOWED:
                self._followed.clear()
            matching_rules = self._followed[key] = self._follow(found, codes)
        return matching_rules

    def _follow(self, found: tuple[int, ...], codes: int) -> CandidateRules:
        bits = reduce(or_, map(self._wanting.__getitem__, found), 0)
        also, unless = self._shifts
        left = (bits & self._all | self._always | codes) & (bits >> also | self._alone) & ~(bits >> unless)
        rules = []
        while left:
            lowest = left & -left
            rules.append(lowest.bit_length() - 1)
            left ^= lowest
        return tuple((index, self._search_of(index, found)) for index in rules)

    def _search_of(self, rule: int, found: tuple[int, ...]) -> Search | None:
        number = next((number for number in found if self._wanting[number] >> rule & 1), None)
        if number is None:
            return None
        if number not in self._searches:
            self._searches[number] = _search(self._patterns[number])
        return self._searches[number]


def _automaton(patterns: Sequence[str], encoding: Any, memory: int) -> Callable[[bytes], Sequence[int] | None]:
    """Return what gives the numbers of the patterns that are in a text, or nothing when none is."""
    chosen = options()
    chosen.encoding = encoding
    chosen.max_mem = memory
    return finder([pattern.encode() for pattern in patterns], chosen)


def _without_other(pattern: str) -> str:
    """Return what is found of a pattern where all letters are ASCII: for others one that no text has."""
    return "".join(letter if letter.isascii() else "\x01" for letter in pattern)


def _search(pattern: str) -> Search:
    """Return the search for one pattern that is known to be in a text.

    Words alone are what is found. The wide repeats are left to RE2. Without them, what `re` goes back over is bounded
    by a word, and it takes a fifth of the time, for the automaton of each pattern need not be built and fetched.
    """
    if _JUST_WORDS.fullmatch(pattern):
        return lambda _: pattern
    if not _TO_RE2.search(pattern):
        with suppress(re.error):
            narrow = re.compile(pattern, re.ASCII).search
            return lambda text: found[0] if (found := narrow(text)) else _wide_search(pattern)(text)
    return _wide_search(pattern)


def _wide_search(pattern: str) -> Search:
    wide = re2.compile(pattern, options()).search
    return lambda text: found[0] if (found := wide(text)) else ""
