"""The rule files are right; a file that is not is refused with its name and its rule."""

from pathlib import Path
from typing import Any

import pytest
import re2

from returpost.bounces.rules import PACKAGED, Match, Rule, Rules, fold, load
from returpost.bounces.rules.provider_codes import from_notation
from returpost.contracts import MAX_DIAGNOSTIC, Evidence
from returpost.errors import InvalidSettings

RULES: Rules = load()
NAMED = [pytest.param(file, rule, id=f"{file}.{rule.name}") for file, rule, _ in RULES]
FILES = sorted(path.stem for path in PACKAGED.glob("*.toml"))


def match(text: str, **evidence: Any) -> Match | None:
    words, provider, codes = from_notation(text)
    return RULES.match(Evidence(diagnostic=words, provider=provider, provider_codes=codes, **evidence))


def test_every_file_gives_rules() -> None:
    assert sorted({file for file, _, _ in RULES}) == FILES
    assert len(FILES) > 10


@pytest.mark.parametrize(("file", "rule"), NAMED)
def test_every_rule_decides_its_examples(file: str, rule: Rule) -> None:
    assert rule.examples, "a rule without an example may say anything"
    for example in rule.examples:
        found = match(example, status=None, reply_code=None)
        if not (rule.status or rule.reply_code or rule.report):
            assert found is not None
            assert found.name == f"{file}.{rule.name}"


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("550 5.7.1 <full.moon@example.com>: sender address rejected", "mailbox_full"),
        ("421 4.4.2 connection timed out", "expired"),
        ("550 5.1.1 user unknown", "account_disabled"),
        ("552 5.2.2 over quota", "message_too_large"),
        ("552 5.3.4 message size exceeds fixed limit", "mailbox_full"),
        ("Name service error for name=example.com type=MX: Host not found, try again", "domain_unknown"),
        ("550 Unrouteable address", "domain_unknown"),
        ("550 5.1.8 sender address rejected: domain not found", "domain_unknown"),
        ("554 5.7.1 relay access denied", "user_unknown"),
        ("554 5.7.1 blocked using zen.spamhaus.org", "spam_content"),
        ("450 4.2.0 greylisted, try again in 300 seconds", "rate_limited"),
        ("451 4.3.0 temporary lookup failure", "user_unknown"),
        ("hello world", "undetermined"),
        ("", "undetermined"),
    ],
)
def test_look_alikes_are_told_apart(text: str, never: str) -> None:
    found = match(text)
    assert found is None or found.rule.reason != never


def test_all_patterns_are_compiled_by_the_linear_engine() -> None:
    """RE2 matches in time linear to the text, whatever the pattern; Python's `re` would backtrack."""
    for _, rule, _ in RULES:
        for pattern in (*rule.patterns, *rule.also, *rule.unless):
            assert re2.compile(pattern).programsize > 0
    for unsupported in (r"(a)\1", "a(?=b)", "a(?<!b)"):
        with pytest.raises(re2.error):
            re2.compile(unsupported)


@pytest.mark.parametrize("unit", ["a", "a ", "mailbox ", "user is ", "the (", "5.1.1 ", "\u0130", "<a@b>", "host x: "])
def test_long_texts_are_judged_by_their_beginning(unit: str) -> None:
    end = " user unknown"
    text = unit * MAX_DIAGNOSTIC
    assert match(text[: MAX_DIAGNOSTIC - len(end)] + end) is not None
    assert match(text + end) == match(text[:MAX_DIAGNOSTIC])


def test_patterns_see_one_line_in_lower_case() -> None:
    assert fold("550-5.1.1  User\r\n\t UNKNOWN ") == "550-5.1.1 user unknown"
    found = match("550-5.1.1 User\r\n550 UNKNOWN recipient\tMailbox\n\n FULL")
    assert found is not None
    assert found.name == "recipient.mailbox-full"


def rules_of(folder: Path, text: str, file: str = "own.toml") -> Rules:
    (folder / file).write_text(text, encoding="utf-8")
    return load(folder)


HEAD = 'about = "own"\n'


def one(extra: str, name: str = "mine") -> str:
    return f'{HEAD}[[rule]]\nname = "{name}"\nreason = "policy"\n{extra}\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (one('patterns = ["("]'), ["own", "rule mine", "pattern '('"]),
        (one('patterns = ["a(?=b)"]'), ["own", "rule mine", "pattern"]),
        (one('patterns = ["a"]\nmta = "["'), ["own", "rule mine", "pattern '['"]),
        (one(""), ["own", "rule mine", "no condition"]),
        (one('patterns = ["zzz"]\nexamples = ["yyy"]'), ["own", "rule mine", "'yyy'", "no rule"]),
        (
            one('precedence = 1\npatterns = ["user unknown"]\nexamples = ["user unknown"]'),
            ["rule mine", "recipient.user-unknown"],
        ),
        (one('patterns = ["a"]\nconfidence = 2'), ["own.toml", "rule mine", "confidence"]),
        (one('patterns = ["a"]\nreasn = "x"'), ["own.toml", "rule mine", "reasn"]),
        (one('patterns = ["a"]\ntype = "none"'), ["own.toml", "rule mine", "type"]),
        (one('patterns = ["a"]', name="My Rule"), ["own.toml", "rule My Rule", "name"]),
        (one('patterns = ["a"]').replace("policy", "weather"), ["own.toml", "rule mine", "reason"]),
        (HEAD + '[[rule]]\nreason = "policy"\npatterns = ["a"]', ["own.toml", "rule number 1", "name"]),
        (HEAD + "rule = [1]", ["own.toml", "rule number 1"]),
        (HEAD + "rule = 1", ["own.toml", "rule"]),
        (one('patterns = ["a"]') + one('patterns = ["b"]').removeprefix(HEAD), ["own", "two rules", "mine"]),
        ("about = \nb = 1", ["own.toml", "line 1"]),
        ('[[rule]]\nname = "mine"', ["own.toml", "about"]),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, text: str, says: list[str]) -> None:
    with pytest.raises(InvalidSettings) as refused:
        rules_of(tmp_path, text)
    for part in says:
        assert part in str(refused.value)


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidSettings, match=r"own\.toml"):
        load(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="not a folder"):
        load(tmp_path / "nowhere")


def test_own_rules_are_added_in_the_order_of_their_names(tmp_path: Path) -> None:
    text = one('patterns = ["user unknown"]\nexamples = ["550 user unknown"]')
    found = rules_of(tmp_path, text, "own.toml").match(Evidence(diagnostic="550 user unknown"))
    assert found is not None
    assert (found.name, found.text) == ("own.mine", "user unknown")


def test_an_own_file_replaces_the_packaged_one_of_its_name(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, one('patterns = ["zzz"]'), "recipient.toml")
    assert [rule.name for file, rule, _ in rules if file == "recipient"] == ["mine"]


def test_a_table_without_a_reason_is_refused(tmp_path: Path) -> None:
    packaged = (PACKAGED / "tables.toml").read_text(encoding="utf-8")
    line = next(line for line in packaged.splitlines() if line.startswith("greylisted"))
    with pytest.raises(InvalidSettings, match=r"tables\.toml: no meaning for greylisted"):
        rules_of(tmp_path, packaged.replace(line, ""), "tables.toml")


CONDITIONS = (
    HEAD
    + """
[[rule]]
name = "by-status"
reason = "policy"
status = ["x.9.", "5.8.1"]
type = "soft"
[[rule]]
name = "by-code"
reason = "security"
patterns = ["zebra"]
reply_code = [577]
[[rule]]
name = "by-mta"
reason = "virus"
patterns = ["zebra"]
mta = 'mx\\.example\\.net'
"""
)


@pytest.mark.parametrize(
    ("evidence", "name"),
    [
        ({"status": "5.9.1"}, "by-status"),
        ({"status": "4.9.1"}, "by-status"),
        ({"status": "5.8.1"}, "by-status"),
        ({"status": "4.8.1"}, None),
        ({"status": None}, None),
        ({"diagnostic": "zebra", "reply_code": 577}, "by-code"),
        ({"diagnostic": "zebra", "reply_code": 578}, None),
        ({"diagnostic": "horse", "reply_code": 577}, None),
        ({"diagnostic": "zebra", "remote_mta": "MX.example.net"}, "by-mta"),
        ({"diagnostic": "zebra", "reporting_mta": "dns; mx.example.net"}, "by-mta"),
        ({"diagnostic": "zebra by mx.example.net"}, "by-mta"),
        ({"diagnostic": "zebra", "remote_mta": "mx.example.com"}, None),
    ],
)
def test_all_conditions_of_a_rule_must_hold(tmp_path: Path, evidence: dict[str, Any], name: str | None) -> None:
    found = rules_of(tmp_path, CONDITIONS, "own.toml").match(Evidence(**evidence))
    assert (found and found.name) == (name and f"own.{name}")
