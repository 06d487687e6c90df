"""All rules at once: their words in one linear pass over the text, then what else each asks for, the first at first."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import re2

from services.classifier.rules.model import ReasonMeaning, Rule, Tables
from services.classifier.rules.text import Said, said_by
from services.classifier.rules.words import Search, Words, options
from shared.contracts import Evidence
from shared.errors import InvalidSettings
from shared.vocabulary import Reason

MAX_EXCERPT = 200


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


class Rules:
    """All rules, ready to match. Those with more precedence come first, then the more special, then the surer."""

    def __init__(self, rules: Sequence[Placed], tables: Tables, version: str = "") -> None:
        self._rules = sorted(rules, key=_order)
        self._tables = tables
        self.version = version
        self._heads = [(placed.rule, placed.name) for placed in self._rules]
        self._words = _words_of(self._rules)
        self._asks_more = [_asks_more(placed.rule) for placed in self._rules]
        self._hosts = [_hosts_of(placed, tables) for placed in self._rules]
        self._needs_hosts = any(self._hosts)

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
        for index, search in self._words.holding(said.text):
            if not self._asks_more[index] or self._holds(index, said):
                return Match(*self._heads[index], _excerpt(search, said.text))
        return None

    def holding(self, said: Said) -> Iterator[Match]:
        """Yield the rules whose conditions hold, the one that decides first, then those that it goes before."""
        for index, search in self._words.holding(said.text):
            if not self._asks_more[index] or self._holds(index, said):
                yield Match(*self._heads[index], _excerpt(search, said.text))

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

    def _holds(self, index: int, said: Said) -> bool:
        """Tell whether all that the rule asks for beside words holds."""
        rule = self._rules[index].rule
        return (
            (not rule.reply_code or said.reply_code in rule.reply_code)
            and (not rule.status or _status_is(said.status, rule.status))
            and not (rule.unless_status and _status_is(said.status, rule.unless_status))
            and (rule.report is None or rule.report == said.report)
            and (not rule.command or said.command in rule.command)
            and not (rule.unless_command and said.command in rule.unless_command)
            and all(named.search(said.hosts) or named.search(said.text) for named in self._hosts[index])
        )


def _excerpt(search: Search | None, text: str) -> str:
    if search is None or (words := search(text)) is None:
        return ""
    return str(words[0])[:MAX_EXCERPT]


def _order(placed: Placed) -> tuple[int, int, float, str]:
    return -placed.precedence, -placed.rule.conditions, -placed.rule.confidence, placed.name


def _words_of(rules: Sequence[Placed]) -> Words:
    """Return the words of all rules. Raises `InvalidSettings`: file, rule, pattern and fault."""
    try:
        return Words([placed.rule for placed in rules])
    except re2.error:
        for placed in rules:
            for pattern in (*placed.rule.patterns, *placed.rule.also, *placed.rule.unless):
                _compiled(placed, pattern)
        raise


def _compiled(placed: Placed, pattern: str) -> Any:
    try:
        return re2.compile(pattern, options())
    except re2.error as error:
        where = f"{placed.file}: rule {placed.rule.name}"
        said = error.args[0] if error.args else ""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise InvalidSettings(f"{where}: pattern {pattern!r}: {words}") from None


def _hosts_of(placed: Placed, tables: Tables) -> tuple[Any, ...]:
    rule = placed.rule
    if rule.provider is not None and rule.provider not in tables.providers:
        raise InvalidSettings(f"{placed.file}: rule {rule.name}: tables.toml has no provider {rule.provider!r}")
    patterns = [pattern for pattern in (rule.provider and tables.providers[rule.provider], rule.mta) if pattern]
    return tuple(_compiled(placed, pattern) for pattern in patterns)


def _asks_more(rule: Rule) -> bool:
    """Tell whether the rule asks for more than words."""
    asked = (
        rule.status, rule.unless_status, rule.reply_code, rule.command, rule.unless_command, rule.provider, rule.mta
    )  # fmt: skip
    return any(asked) or rule.report is not None


def _status_is(status: str | None, wanted: Sequence[str]) -> bool:
    if status is None:
        return False
    return any(status.startswith(start) or (start[:2] == "x." and status[2:].startswith(start[2:])) for start in wanted)
