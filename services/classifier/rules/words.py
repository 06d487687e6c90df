"""The words of all rules in one automaton, and which rules' words are there."""

import re
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

import re2

from services.classifier.rules.model import Rule

MAX_EXCERPT = 200
MEMORY = 96 << 20
"""What the automaton may take, in bytes. It is built as texts are seen; when it is full, anew."""
_TO_RE2 = re.compile(r"(?:\)|\]|\.)[*+{]|\[\[:|\\[pPCQzA]|\(\?")
"""Repeats of more than a kind of letter, and what `re` would read in another way."""


def options() -> Any:
    """Return how patterns are compiled."""
    chosen = re2.Options()
    chosen.never_capture = True
    chosen.max_mem = MEMORY
    chosen.log_errors = False
    return chosen


class Words:
    """The patterns of all rules in one automaton, each by itself.

    Taken one by one, patterns share their beginnings, and the automaton stays small: as alternatives of one pattern a
    rule, ten times as many states are made when texts are new, and each rule more makes more of them.

    Which rules hold is told by sets of bits, the first rule's the lowest: of rules that have a pattern found among
    their words, among what must be there too, and among what must not, side by side in one number for each pattern.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Compile all. Raises `re2.error` when a pattern is none."""
        width = len(rules)
        self._shifts = width, 2 * width
        self._all = (1 << width) - 1
        wanted: dict[str, int] = {}
        self._always = self._alone = 0
        for index, rule in enumerate(rules):
            for place, patterns in enumerate((rule.patterns, rule.also, rule.unless)):
                for pattern in patterns:
                    wanted[pattern] = wanted.get(pattern, 0) | 1 << index + place * width
            self._always |= (not rule.patterns) << index
            self._alone |= (not rule.also) << index
        self._wanting = list(wanted.values())
        self._patterns = list(wanted)
        numbers = {pattern: number for number, pattern in enumerate(wanted)}
        self._own = [{numbers[pattern] for pattern in rule.patterns} for rule in rules]
        self._alones: dict[int, Any] = {}
        self._set = re2.Set.SearchSet(options()) if wanted else None
        if self._set:
            for pattern in wanted:
                self._set.Add(pattern.encode())
            self._set.Compile()

    def found(self, text: str) -> Sequence[int]:
        """Return the numbers of the patterns that are found in the text."""
        return (self._set and self._set.Match(text.encode("utf-8", "replace"))) or ()

    def rules_of(self, found: Sequence[int]) -> int:
        """Return the bits of the rules whose words are there, and theirs that must be, and none that must not."""
        bits = reduce(or_, map(self._wanting.__getitem__, found), 0)
        also, unless = self._shifts
        return (bits & self._all | self._always) & (bits >> also | self._alone) & ~(bits >> unless)

    def excerpt(self, rule: int, found: Sequence[int], text: str) -> str:
        """Return the words of the text that the rule found."""
        own = self._own[rule]
        for number in found:
            if number in own:
                words = self._alone_of(number)(text)
                return str(words[0])[:MAX_EXCERPT] if words else ""
        return ""

    def _alone_of(self, number: int) -> Any:
        """Return the search for the pattern by itself, which tells where it is found."""
        if (alone := self._alones.get(number)) is None:
            alone = self._alones[number] = _search(self._patterns[number])
        return alone


def _search(pattern: str) -> Any:
    """Return the search for one pattern that is known to be in a text.

    The wide repeats are left to RE2. Without them, what `re` goes back over is bounded by a word, and it takes a
    fifth of the time, for the automaton of each pattern need not be built and fetched.
    """
    if _TO_RE2.search(pattern):
        return re2.compile(pattern, options()).search
    try:
        narrow = re.compile(pattern, re.ASCII).search
    except re.error:
        return re2.compile(pattern, options()).search
    return lambda text: narrow(text) or re2.compile(pattern, options()).search(text)
