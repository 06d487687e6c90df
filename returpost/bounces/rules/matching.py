"""All rules at once: their words in one linear pass over the text, then what else each asks for, the first at first."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import re2

from returpost.bounces.rules.hosts import Hosts
from returpost.bounces.rules.model import Placed, ReasonMeaning, Rule, Tables
from returpost.bounces.rules.pattern_matcher import CandidateRules, Words
from returpost.bounces.rules.patterns import FEWER, MEMORY, compiled
from returpost.bounces.rules.provider_codes import ProviderCodes
from returpost.bounces.rules.text_normalization import NormalizedReply, normalized
from returpost.contracts import Evidence
from returpost.contracts.enums import Command, Reason

MAX_EXCERPT = 200
LAST = 250
"""Rules with less precedence have an automaton of their own, which is asked when no rule before holds: few texts are,
and the other automaton is smaller for it."""
_new = tuple.__new__


class Match(NamedTuple):
    """The rule that decided, how verdicts name it, and the words that it found."""

    rule: Rule
    name: str
    text: str


class _Statuses(NamedTuple):
    """How an enhanced status may begin, and how what follows its class may."""

    whole: tuple[str, ...]
    after_class: tuple[str, ...]

    def hold(self, status: str | None) -> bool:
        return status is not None and (status.startswith(self.whole) or status[2:].startswith(self.after_class))


class _Asked(NamedTuple):
    """What a rule asks for beside words, as `Rule` has it: kept apart, for it is read for each text."""

    reply_code: tuple[int, ...]
    without_code: bool
    status: _Statuses | None
    unless_status: _Statuses | None
    report: bool | None
    command: tuple[Command, ...]
    unless_command: tuple[Command, ...]


class Rules:
    """All rules, ready to match. Those with more precedence come first, then the more special, then the surer."""

    def __init__(self, rules: Sequence[Placed], tables: Tables, version: str = "") -> None:
        self._rules = sorted(rules, key=_order)
        self._tables = tables
        self.version = version
        self._heads = [(placed.rule, placed.name) for placed in self._rules]
        self._last = next((n for n, placed in enumerate(self._rules) if placed.precedence < LAST), len(self._rules))
        self._words = _words_of(self._rules[: self._last])
        self._last_words = _words_of(self._rules[self._last :], MEMORY // FEWER)
        self._asked = [_asked(placed.rule) for placed in self._rules]
        self._hosts = Hosts(self._rules, tables)
        self._codes = ProviderCodes(self._rules)
        self._first_codes = (1 << self._last) - 1

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

    def normalize(self, evidence: Evidence) -> NormalizedReply:
        """Return what rules look at."""
        return normalized(evidence, self._hosts.named)

    def match(self, evidence: Evidence) -> Match | None:
        """Return the rule that decides. Linear in the length of the text."""
        return self.decide(self.normalize(evidence))

    def decide(self, reply: NormalizedReply) -> Match | None:
        """Return the rule that decides what was said."""
        text, codes = reply.text, self._codes_of(reply)
        for index, search in self._words.matching_rules(text, codes & self._first_codes):
            if (asked := self._asked[index]) is None or self._hold(asked, index, reply):
                rule, name = self._heads[index]
                return _new(Match, (rule, name, reply.codes if search is None else search(text)[:MAX_EXCERPT]))
        return next(self._matching_last(reply, codes), None)

    def matching_rules(self, reply: NormalizedReply) -> Iterator[Match]:
        """Yield the rules whose conditions hold, the one that decides first, then those that it goes before."""
        codes = self._codes_of(reply)
        yield from self._holding(reply, 0, self._words.matching_rules(reply.text, codes & self._first_codes))
        yield from self._matching_last(reply, codes)

    def _matching_last(self, reply: NormalizedReply, codes: int) -> Iterator[Match]:
        return self._holding(reply, self._last, self._last_words.matching_rules(reply.text, codes >> self._last))

    def _holding(self, reply: NormalizedReply, start: int, candidates: CandidateRules) -> Iterator[Match]:
        for place, search in candidates:
            index = start + place
            if (asked := self._asked[index]) is None or self._hold(asked, index, reply):
                yield Match(*self._heads[index], reply.codes if search is None else search(reply.text)[:MAX_EXCERPT])

    def _codes_of(self, reply: NormalizedReply) -> int:
        return self._codes.matching(reply.codes, suppressed=reply.suppressed) if reply.codes or reply.suppressed else 0

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

    def _hold(self, asked: _Asked, index: int, reply: NormalizedReply) -> bool:
        return _hold(asked, reply) and self._hosts.hold(index, reply)


def _order(placed: Placed) -> tuple[int, int, float, str]:
    return -placed.precedence, -placed.rule.conditions, -placed.rule.confidence, placed.name


def _words_of(rules: Sequence[Placed], memory: int = MEMORY) -> Words:
    """Return the words of these rules. Raises `InvalidSettings`: file, rule, pattern and fault."""
    try:
        return Words([placed.rule for placed in rules], memory)
    except re2.error:
        for placed in rules:
            for pattern in (*placed.rule.patterns, *placed.rule.also, *placed.rule.unless):
                compiled(placed, pattern)
        raise


def _asked(rule: Rule) -> _Asked | None:
    """Return what the rule asks for beside words, if anything."""
    asked = _Asked(
        rule.reply_code, rule.without_code, _statuses(rule.status), _statuses(rule.unless_status),
        rule.report, rule.command, rule.unless_command,
    )  # fmt: skip
    return asked if any(asked) or rule.report is not None or rule.provider or rule.mta else None


def _hold(asked: _Asked, reply: NormalizedReply) -> bool:
    """Tell whether what was said is as asked for, hosts aside."""
    return (
        (not asked.reply_code or reply.reply_code in asked.reply_code)
        and not (asked.without_code and reply.reply_code is not None)
        and (asked.status is None or asked.status.hold(reply.status))
        and (asked.unless_status is None or not asked.unless_status.hold(reply.status))
        and (asked.report is None or asked.report == reply.report)
        and (not asked.command or reply.command in asked.command)
        and not (asked.unless_command and reply.command in asked.unless_command)
    )


def _statuses(wanted: Sequence[str]) -> _Statuses | None:
    if not wanted:
        return None
    whole = tuple(start for start in wanted if not start.startswith("x."))
    return _Statuses(whole, tuple(start[2:] for start in wanted if start.startswith("x.")))
