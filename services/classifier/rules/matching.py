"""All rules at once: one linear pass over the text finds whose words are there, then each one's conditions are held."""

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Any, NamedTuple

import re2

from services.classifier.rules.model import ReasonMeaning, Rule, Tables
from services.classifier.rules.text import Said, said_by
from shared.contracts import Evidence
from shared.errors import InvalidSettings
from shared.vocabulary import Reason

MAX_EXCERPT = 200
MEMORY = 96 << 20
"""What the automaton may take, in bytes. It is built as texts are seen; when it is full, anew."""
_ANYWHERE = re2._Anchor.UNANCHORED
_NOWHERE = (-1, -1)


class Placed(NamedTuple):
    """A rule, its file, and its precedence."""

    file: str
    rule: Rule
    precedence: int

    @property
    def name(self) -> str:
        """Return how verdicts name the rule."""
        return f"{self.file}.{self.rule.name}"


class Match(NamedTuple):
    """The rule that decided, how verdicts name it, and the words that it found."""

    rule: Rule
    name: str
    text: str


class _Held(NamedTuple):
    """A rule as it is matched."""

    words: Any
    also: Any
    unless: Any
    hosts: tuple[Any, ...]


class Rules:
    """All rules, ready to match. Those with more precedence come first, then the more special, then the surer."""

    def __init__(self, rules: Sequence[Placed], tables: Tables, version: str = "") -> None:
        self._rules = sorted(rules, key=_order)
        self._tables = tables
        self.version = version
        options = re2.Options()
        options.never_capture = True
        options.max_mem = MEMORY
        options.log_errors = False
        self._held = [_held(placed, tables, options) for placed in self._rules]
        self._needs_hosts = any(held.hosts for held in self._held)
        self._with_words = [index for index, placed in enumerate(self._rules) if placed.rule.patterns]
        self._without_words = [index for index, placed in enumerate(self._rules) if not placed.rule.patterns]
        self._set = re2.Set.SearchSet(options)
        for index in self._with_words:
            self._set.Add(_either(self._rules[index].rule.patterns))
        if self._with_words:
            self._set.Compile()

    def __iter__(self) -> Iterator[Placed]:
        """Yield the rules, the one that goes first at first."""
        return iter(self._rules)

    @property
    def tables(self) -> Tables:
        """What reasons mean, and what statuses and codes stand for."""
        return self._tables

    def meaning(self, reason: Reason) -> ReasonMeaning:
        """Return what the reason means."""
        return self._tables.reasons[reason]

    def said(self, evidence: Evidence) -> Said:
        """Return what rules look at."""
        return said_by(evidence, with_hosts=self._needs_hosts)

    def match(self, evidence: Evidence) -> Match | None:
        """Return the rule that decides. Linear in the length of the text."""
        return self.decide(self.said(evidence))

    def decide(self, said: Said) -> Match | None:
        """Return the rule that decides what was said."""
        return next(self.holding(said), None)

    def holding(self, said: Said) -> Iterator[Match]:
        """Yield the rules whose conditions hold, the one that decides first, then those that it goes before."""
        text = said.text.encode("utf-8", "replace")
        for index in self._candidates(text):
            held = self._held[index]
            placed = self._rules[index]
            if _holds(placed.rule, held, said, text):
                yield Match(placed.rule, placed.name, _excerpt(held.words, text))

    def by_status(self, status: str) -> Reason | None:
        """Return the reason that an enhanced status stands for, the class aside when the table says so."""
        general = f"x{status[1:]}"
        subject = f"x.{status.split('.')[1]}"
        for key in (status, general, subject):
            if key in self._tables.status:
                return self._tables.status[key]
        return None

    def by_reply_code(self, code: int) -> Reason | None:
        """Return the reason that a reply code stands for."""
        return self._tables.reply_code.get(str(code))

    def _candidates(self, text: bytes) -> list[int]:
        """Return the rules whose words are there, and those that ask for none, in their order."""
        numbers = self._set.Match(text) if self._with_words else None
        found = sorted(self._with_words[number] for number in numbers or ())
        return list(merge(found, self._without_words)) if self._without_words else found


def _order(placed: Placed) -> tuple[int, int, float, str]:
    return -placed.precedence, -placed.rule.conditions, -placed.rule.confidence, placed.name


def _held(placed: Placed, tables: Tables, options: Any) -> _Held:
    rule = placed.rule
    if rule.provider is not None and rule.provider not in tables.providers:
        raise InvalidSettings(f"{placed.file}: rule {rule.name}: tables.toml has no provider {rule.provider!r}")
    hosts = [pattern for pattern in (rule.provider and tables.providers[rule.provider], rule.mta) if pattern]
    words, also, unless, *named = (
        _compiled(placed, patterns, options)
        for patterns in (rule.patterns, rule.also, rule.unless, *((pattern,) for pattern in hosts))
    )
    return _Held(words, also, unless, tuple(named))


def _compiled(placed: Placed, patterns: tuple[str, ...], options: Any) -> Any:
    for pattern in patterns:
        try:
            re2.compile(pattern.encode(), options)
        except re2.error as error:
            where = f"{placed.file}: rule {placed.rule.name}"
            raise InvalidSettings(f"{where}: pattern {pattern!r}: {error}") from None
    # The wrapper's own search makes objects that are not needed here, and takes longer for it than the matching does.
    return re2.compile(_either(patterns), options)._regexp if patterns else None


def _either(patterns: tuple[str, ...]) -> bytes:
    return "|".join(f"(?:{pattern})" for pattern in patterns).encode()


def _holds(rule: Rule, held: _Held, said: Said, text: bytes) -> bool:
    """Tell whether all that the rule asks for beside its words holds; the cheap questions first."""
    return (
        (not rule.reply_code or said.reply_code in rule.reply_code)
        and (not rule.status or _status_is(said.status, rule.status))
        and not (rule.unless_status and _status_is(said.status, rule.unless_status))
        and (rule.report is None or rule.report == said.report)
        and (not rule.command or said.command in rule.command)
        and not (rule.unless_command and said.command in rule.unless_command)
        and (held.also is None or _is_in(held.also, text))
        and (held.unless is None or not _is_in(held.unless, text))
        and all(_is_in(named, said.hosts.encode()) or _is_in(named, text) for named in held.hosts)
    )


def _is_in(pattern: Any, text: bytes) -> bool:
    return bool(pattern.Match(_ANYWHERE, text, 0, len(text))[0] != _NOWHERE)


def _excerpt(words: Any, text: bytes) -> str:
    if words is None:
        return ""
    start, end = words.Match(_ANYWHERE, text, 0, len(text))[0]
    return text[start:end].decode("utf-8", "replace")[:MAX_EXCERPT]


def _status_is(status: str | None, wanted: Sequence[str]) -> bool:
    if status is None:
        return False
    return any(status.startswith(start) or (start[:2] == "x." and status[2:].startswith(start[2:])) for start in wanted)
