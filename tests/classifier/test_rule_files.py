"""Every packaged rule file: it loads, and each rule decides its examples and leaves its counter-examples alone."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from services.classifier.rules import PACKAGED, Rule, Rules, _evidence_of, load, readable
from shared.errors import InvalidSettings

RULES: Rules = load()
NAMED = [pytest.param(file, rule, id=f"{file}.{rule.name}") for file, rule in RULES._rules]
HEAD = 'about = "own"\n'


@pytest.mark.parametrize(("file", "rule"), NAMED)
def test_every_rule_says_where_it_comes_from(file: str, rule: Rule) -> None:
    assert rule.source
    assert rule.examples
    assert rule.counter_examples


@pytest.mark.parametrize(("file", "rule"), NAMED)
def test_examples_are_decided_by_their_rule(file: str, rule: Rule) -> None:
    for example in rule.examples:
        found = RULES.match(_evidence_of(example))
        assert found is not None
        assert found.name == f"{file}.{rule.name}"


@pytest.mark.parametrize(("file", "rule"), NAMED)
def test_counter_examples_are_decided_otherwise(file: str, rule: Rule) -> None:
    for example in rule.counter_examples:
        found = RULES.match(_evidence_of(example))
        assert found is None or found.rule is not rule


@pytest.mark.parametrize(("file", "rule"), NAMED)
def test_examples_have_reserved_names_alone(file: str, rule: Rule) -> None:
    for example in (*rule.examples, *rule.counter_examples):
        for domain in re.findall(r"@([a-z0-9.-]*[a-z])", example):
            assert domain.endswith((".example", "example.com", "example.net", "example.org", ".invalid", ".test"))


@pytest.mark.parametrize(("file", "rule"), NAMED)
def test_patterns_are_made_for_folded_texts(file: str, rule: Rule) -> None:
    """A gap that counts characters makes the automaton large: `[^.]*` and `(\\S+ ){0,3}` cost little."""
    for pattern in (*rule.patterns, *rule.also, *rule.unless):
        literal = re.sub(r"\\[a-zA-Z]", "", pattern)
        assert literal == literal.lower()
        assert not re.search(r"\.\{\d*,\d{2,}\}", pattern)


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.toml")), ids=lambda path: path.stem)
def test_no_file_names_an_address_of_others(path: Path) -> None:
    for name in re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", path.read_text(encoding="utf-8")):
        assert name.rpartition(".")[2] in {"example", "invalid", "test"} or name.startswith("example.")


def test_order_is_that_of_the_files() -> None:
    files = [file for file, _ in RULES._rules]
    assert all(one <= other for one, other in pairwise(files))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ('counter_examples = ["purple zebra"]', "counter-example 'purple zebra'"),
        ('also = ["("]', "pattern '('"),
        ('unless = ["a(?!b)"]', "pattern 'a(?!b)'"),
        ('also = ["horse"]\nexamples = ["purple zebra"]', "'purple zebra' is decided by no rule"),
        ('unless = ["purple"]\nexamples = ["purple zebra"]', "'purple zebra' is decided by no rule"),
    ],
)
def test_a_rule_that_breaks_its_word_is_refused(tmp_path: Path, words: str, says: str) -> None:
    text = f'{HEAD}[[rule]]\nname = "mine"\nreason = "policy"\npatterns = ["zebra"]\n{words}\n'
    (tmp_path / "00-own.toml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSettings) as refused:
        load(tmp_path)
    assert says in str(refused.value)
    assert "mine" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("550 5.1.1 <Ann@Example.com>... User  unknown", "<@>... user unknown"),
        ("550-5.7.25 [192.0.2.1] has no\n550-5.7.25 PTR record\n550 5.7.25 gsmtp", "[ip] has no ptr record gsmtp"),
        ("550-Hello\r\n550 world", "550 hello world"),
        ("550 #5.1.0 Address rejected ann@example.com.", "address rejected <@>."),
        ("host mx.example.com[192.0.2.1]:25 said", "host [ip] said"),
        ("see http://dnsbl.example/?ip=192.0.2.1", "see http://dnsbl.example/?ip=[ip]"),
        ("user ann, 4bk2zb1hqz", "user ann, #"),
        ("4.4.7 expired after 3600 s", "4.4.7 expired after 3600 s"),
        ("a" * 5_000, "a" * 4_000),
    ],
)
def test_what_differs_from_mail_to_mail_is_not_seen(text: str, seen: str) -> None:
    assert readable(text) == seen
