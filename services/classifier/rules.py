"""The rules of the classifier: TOML files, loaded and checked at start, matched in one linear-time pass.

A rule is data: patterns (RE2, over the text as `readable` gives it), what else must hold (other words found or not
found, enhanced status, reply code, remote MTA), and the reason it gives. Files of `rule_files/` are read in the order
of their names; a rule in an earlier file goes before one in a later file, and within a file the upper before the lower:
providers' own words first, general words later. A folder of one's own replaces packaged files of the same name and
adds others.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import re2
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts import Evidence
from shared.errors import InvalidSettings
from shared.vocabulary import Fault, Reason, VerdictType

PACKAGED = Path(__file__).with_name("rule_files")
MAX_TEXT = 4_000
"""Characters of a text that are looked at; what decides stands at the beginning."""
MAX_EXCERPT = 200
MEMORY = 256 << 20
"""What the automaton of all patterns may take, in bytes. It is built as texts are seen; when it is full, anew."""
_CODE = r"[245]\d\d(?:[ -]#?[245]\.\d{1,3}\.\d{1,3}:?(?: |$)|- ?)"
_CHANGING = re.compile(rf"(?<!\S)(?:({_CODE})|[^\s0-9@]*[0-9@]\S*)")
"""Codes, and words with a digit or an address in them."""
_CODE_ALONE = re.compile(r"[245]\d\d-(?!#?[245]\.\d)")
_NO_ADDRESS = r"""\s<>()\[\],;:"'@"""
_ADDRESS = re.compile(rf"<?(?<![^{_NO_ADDRESS}])[^{_NO_ADDRESS}]+@[^{_NO_ADDRESS}]+(?<!\.)>?")
_ID = re.compile(r"\W*(?:[a-z]*\d[a-z0-9]*(?<=[a-z0-9]{8})|[0-9a-f]{4,}(?:-[0-9a-f]{4,}){2,})\W*")
_IP = re.compile(r"\[?(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])\]?(?::\d+)?")
_WORD = re.compile(r"(?<![<\[])[^\W\d_]{2,}")
_NAMED = re.compile(r"^[a-z0-9-]*\.[a-z0-9.-]*\[ip\]")

M = TypeVar("M", bound=BaseModel)


class Rule(BaseModel):
    """One rule as it stands in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    reason: Reason
    patterns: tuple[str, ...] = ()
    """Any of these must be found in the text."""
    also: tuple[str, ...] = ()
    """Any of these must be found, too."""
    unless: tuple[str, ...] = ()
    """None of these may be found."""
    status: tuple[str, ...] = ()
    """The enhanced status must begin with one of these (`5.1.` or `5.1.1`; `x.` stands for any class)."""
    reply_code: tuple[int, ...] = ()
    mta: str | None = None
    """Must be found in the name of the remote or reporting MTA, or in the text."""
    type: Literal["hard", "soft"] | None = None
    """Overrides what the reason and the class of the reply say."""
    confidence: float = Field(default=0.9, gt=0, le=1)
    examples: tuple[str, ...] = ()
    """Texts that this rule must decide; checked whenever the rules are loaded."""
    counter_examples: tuple[str, ...] = ()
    """Texts that look alike and that this rule must not decide."""
    source: str | None = None
    """Where the wording is documented or who uses it."""


class ReasonMeaning(BaseModel):
    """What a reason means, whatever rule found it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault
    dead: bool = False
    """The address or its domain is dead, when the failure is permanent."""
    type: VerdictType
    """hard: a permanent reply with this reason is final; soft: it is retried whatever the class of the reply."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    about: str
    rule: list[Rule] = Field(default_factory=list)


class _Tables(BaseModel):
    model_config = ConfigDict(extra="forbid")

    about: str
    reasons: dict[Reason, ReasonMeaning]
    status: dict[str, Reason]
    reply_code: dict[str, Reason]


class Said(NamedTuple):
    """All that a verdict is made of: the same always gets the same, whoever it was said to."""

    text: str
    """As `readable` gives it."""
    status: str | None
    reply_code: int | None
    hosts: str
    """Names of the MTAs and the whole text, when any rule asks for them."""


class Match(NamedTuple):
    """The rule that decided, its file, and where in the text."""

    rule: Rule
    name: str
    text: str


class Rules:
    """All rules, ready to match."""

    def __init__(self, rules: Sequence[tuple[str, Rule]], tables: "_Tables") -> None:
        self._rules = rules
        self._tables = tables
        self._names = [f"{file}.{rule.name}" for file, rule in rules]
        self._owner: list[int] = []
        self._single: list[Any] = []
        self._mta: dict[int, Any] = {}
        guards: dict[str, int] = {}
        options = re2.Options()
        options.never_capture = True
        options.max_mem = MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        for index, (file, rule) in enumerate(rules):
            for pattern in rule.patterns:
                self._single.append(_compiled(file, rule, pattern, options))
                self._owner.append(index)
                self._set.Add(pattern)
            if rule.mta is not None:
                self._mta[index] = _compiled(file, rule, rule.mta, options)
        for file, rule in rules:
            for pattern in (*rule.also, *rule.unless):
                if pattern not in guards:
                    _compiled(file, rule, pattern, options)
                    guards[pattern] = len(self._owner) + len(guards)
                    self._set.Add(pattern)
        self._set.Compile()
        self._also = [frozenset(guards[pattern] for pattern in rule.also) for _, rule in rules]
        self._unless = [frozenset(guards[pattern] for pattern in rule.unless) for _, rule in rules]
        self._without_text = [index for index, (_, rule) in enumerate(rules) if not rule.patterns]

    def __iter__(self) -> Iterator[tuple[str, Rule]]:
        """Yield file and rule, the one that goes first at first."""
        return iter(self._rules)

    @property
    def tables(self) -> "_Tables":
        """What reasons mean, and what statuses and codes stand for."""
        return self._tables

    def meaning(self, reason: Reason) -> ReasonMeaning:
        """Return what the reason means."""
        return self._tables.reasons[reason]

    def said(self, evidence: Evidence) -> Said:
        """Return what rules look at."""
        hosts = ""
        if self._mta:
            hosts = f"{evidence.remote_mta or ''} {evidence.reporting_mta or ''} {fold(evidence.diagnostic)}".lower()
        return Said(readable(evidence.diagnostic), evidence.status, evidence.reply_code, hosts)

    def match(self, evidence: Evidence) -> Match | None:
        """Return the first rule whose text is found and whose conditions hold. Linear in the length of the text."""
        return self.decide(self.said(evidence))

    def decide(self, said: Said) -> Match | None:
        """Return the rule that decides what was said."""
        text = said.text.encode("utf-8", "replace")
        found = self._set.Match(text) or ()
        for index, pattern in self._candidates(sorted(found)):
            if self._holds(index, found, said):
                return Match(self._rules[index][1], self._names[index], self._excerpt(pattern, text))
        return None

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

    def check_examples(self, files: Collection[str]) -> None:
        """Check that each rule of these files decides its own examples, and none that it must not.

        Raises `InvalidSettings` naming the first that goes wrong.
        """
        for file, rule in self._rules:
            if file not in files:
                continue
            for example in rule.examples:
                match = self.match(_evidence_of(example))
                if match is None or match.rule is not rule:
                    other = match.name if match else "no rule"
                    raise InvalidSettings(f"{file}: rule {rule.name}: its example {example!r} is decided by {other}")
            for example in rule.counter_examples:
                match = self.match(_evidence_of(example))
                if match is not None and match.rule is rule:
                    raise InvalidSettings(f"{file}: rule {rule.name}: it decides its counter-example {example!r}")

    def _candidates(self, found: Sequence[int]) -> Iterator[tuple[int, int | None]]:
        """Yield the rules that a pattern was found of, and those without, each with its first pattern, in their order.

        The numbers of the patterns rise with the rules; those of `also` and `unless` come after all.
        """
        if self._without_text:
            first = {self._owner[number]: number for number in reversed(found) if number < len(self._owner)}
            yield from ((index, first.get(index)) for index in sorted([*first, *self._without_text]))
            return
        last = -1
        for number in found[: bisect_left(found, len(self._owner))]:
            if (index := self._owner[number]) != last:
                yield index, number
                last = index

    def _holds(self, index: int, found: Collection[int], said: Said) -> bool:
        also, unless = self._also[index], self._unless[index]
        if (also and also.isdisjoint(found)) or (unless and not unless.isdisjoint(found)):
            return False
        rule = self._rules[index][1]
        if rule.status and not _status_is(said.status, rule.status):
            return False
        if rule.reply_code and said.reply_code not in rule.reply_code:
            return False
        mta = self._mta.get(index)
        return mta is None or mta.search(said.hosts.encode("utf-8", "replace")) is not None

    def _excerpt(self, pattern: int | None, text: bytes) -> str:
        if pattern is None:
            return ""
        found = self._single[pattern].search(text)
        return found[0].decode("utf-8", "replace")[:MAX_EXCERPT] if found else ""


def fold(text: str) -> str:
    """Return the text as patterns see it: lower case, single spaces, bounded."""
    return " ".join(text[:MAX_TEXT].split()).lower()


def readable(text: str) -> str:
    """Return the folded text without what differs from mail to mail: addresses, hosts' addresses, ids, codes.

    An address is `<@>`, a host with its address `[ip]` and an id `#`; codes are left out, for those of continuation
    lines stand in the middle of sentences. What is left is the same for all mails that a server answers alike.
    """
    folded = fold(text)
    words = _CHANGING.sub(_without_names, folded)
    if folded[3:4] != "-":
        return words
    code = f" {folded[:3]} "
    words = f" {words}".replace(code, " ").strip()
    # With a status, code and status are left out; a code alone stands before the words, as in a reply of one line.
    return f"{code}{words}".strip() if _CODE_ALONE.match(folded) else words


def has_words(said: Said) -> bool:
    """Tell whether anything was said beside codes, addresses and numbers."""
    return _WORD.search(said.text) is not None


def _without_names(found: re.Match[str]) -> str:
    if found[1]:
        return ""
    word = found[0]
    if "@" in word:
        return _ADDRESS.sub("<@>", word)
    if _ID.fullmatch(word):
        return "#"
    if word.count(".") >= 3:
        return _NAMED.sub("[ip]", _IP.sub("[ip]", word))
    return word


def _evidence_of(example: str) -> Evidence:
    status = re.search(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])", example)
    code = re.match(r"([245]\d\d)[ -]", example)
    return Evidence(
        diagnostic=example,
        status=status.group(1) if status else None,
        reply_code=int(code.group(1)) if code else None,
    )


def load(own: Path | None = None) -> Rules:
    """Load the packaged rules, and those of a folder of one's own. Raises `InvalidSettings`: file, rule and fault."""
    files = {path.name: path for path in PACKAGED.glob("*.toml")}
    checked = {path.stem for path in files.values()}
    if own is not None:
        if not own.is_dir():
            raise InvalidSettings(f"rules: {own} is not a folder")
        files |= {path.name: path for path in own.glob("*.toml")}
        # Rules of one's own may well take what a packaged rule would have decided.
        checked = {path.stem for path in own.glob("*.toml")}
    tables = _parse(files.pop("tables.toml"), _Tables)
    missing = set(Reason) - set(tables.reasons)
    if missing:
        raise InvalidSettings(f"tables.toml: no meaning for {', '.join(sorted(missing))}")
    rules = [(path.stem, rule) for _, path in sorted(files.items()) for rule in _parse(path, _File).rule]
    _check_names(rules)
    loaded = Rules(rules, tables)
    loaded.check_examples(checked)
    return loaded


def _compiled(file: str, rule: Rule, pattern: str, options: Any) -> Any:
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        raise InvalidSettings(f"{file}: rule {rule.name}: pattern {pattern!r}: {error}") from None


def _parse(path: Path, model: type[M]) -> M:
    values: Mapping[str, Any] = {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return model.model_validate(values)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise InvalidSettings(f"{path.name}: {error}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        raise InvalidSettings(f"{path.name}: {_place(values, fault['loc'])}: {fault['msg']}") from None


def _place(values: Mapping[str, Any], place: tuple[int | str, ...]) -> str:
    """Say where a fault is: of a rule its name, when it has one, else its number."""
    if len(place) >= 2 and place[0] == "rule" and isinstance(place[1], int):
        written = values["rule"][place[1]]
        name = written.get("name") if isinstance(written, dict) else None
        start = f"rule {name}" if isinstance(name, str) else f"rule number {place[1] + 1}"
        return ": ".join([start, *filter(None, [".".join(map(str, place[2:]))])])
    return ".".join(map(str, place))


def _check_names(rules: Sequence[tuple[str, Rule]]) -> None:
    seen: set[tuple[str, str]] = set()
    for file, rule in rules:
        if (file, rule.name) in seen:
            raise InvalidSettings(f"{file}: two rules are named {rule.name}")
        seen.add((file, rule.name))
        if not (rule.patterns or rule.status or rule.reply_code or rule.mta):
            raise InvalidSettings(f"{file}: rule {rule.name} has no condition")


def _status_is(status: str | None, wanted: Sequence[str]) -> bool:
    if status is None:
        return False
    return any(status.startswith(start) or (start[:2] == "x." and status[2:].startswith(start[2:])) for start in wanted)
