"""Rule files: what the packaged ones hold, and how files of one's own are read and refused."""

import re
from pathlib import Path

import pytest

from returpost.bounces.rules import PACKAGED, Rules, load, readable
from returpost.contracts import Evidence
from returpost.errors import InvalidSettings

RULES: Rules = load()
HEAD = 'about = "own"\n'


def test_every_rule_says_where_it_comes_from() -> None:
    """Loading checks that a rule decides its examples; that it has some, nothing else does."""
    bare = [p.name for p in RULES if not (p.rule.source and p.rule.examples and p.rule.counter_examples)]
    assert not bare


def test_examples_have_reserved_names_alone() -> None:
    reserved = (".example", "example.com", "example.net", "example.org", ".invalid", ".test")
    named = {
        (placed.name, domain)
        for placed in RULES
        for example in (*placed.rule.examples, *placed.rule.counter_examples)
        for domain in re.findall(r"@([a-z0-9.-]*[a-z])", example)
    }
    assert not [one for one in named if not one[1].endswith(reserved)]


def test_patterns_are_made_for_folded_texts() -> None:
    """A gap that counts characters makes the automaton large: `[^.]*` and `(\\S+ ){0,3}` cost little."""
    patterns = {pattern for _, rule, _ in RULES for pattern in (*rule.patterns, *rule.also, *rule.unless)}
    literal = {pattern: re.sub(r"\\[a-zA-Z]", "", pattern) for pattern in patterns}
    assert not [pattern for pattern, kept in literal.items() if kept != kept.lower()]
    assert not [pattern for pattern in patterns if re.search(r"\.\{\d*,\d{2,}\}", pattern)]


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.toml")), ids=lambda path: path.stem)
def test_no_file_names_an_address_of_others(path: Path) -> None:
    for name in re.findall(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)", path.read_text(encoding="utf-8")):
        assert name.rpartition(".")[2] in {"example", "invalid", "test"} or name.startswith("example.")


def test_order_is_that_of_precedence() -> None:
    precedences = [placed.precedence for placed in RULES]
    assert precedences == sorted(precedences, reverse=True)
    assert len(set(precedences)) > 10


def test_the_order_of_lines_says_nothing(tmp_path: Path) -> None:
    """Two files with the same rules in another order decide alike."""
    one, other = (
        f'[[rule]]\nname = "{name}"\nreason = "{reason}"\nprecedence = {precedence}\npatterns = ["zebra"]\n'
        for name, reason, precedence in (("low", "policy", 10), ("high", "virus", 990))
    )
    for text in (one + other, other + one):
        (tmp_path / "own.toml").write_text(HEAD + text, encoding="utf-8")
        found = load(tmp_path).match(Evidence(diagnostic="purple zebra"))
        assert found is not None
        assert found.name == "own.high"


def test_the_more_special_of_equals_decides(tmp_path: Path) -> None:
    rules = "".join(
        f'[[rule]]\nname = "{name}"\nreason = "policy"\npatterns = ["zebra"]\n{more}\n'
        for name, more in (("plain", ""), ("special", "reply_code = [577]"))
    )
    (tmp_path / "own.toml").write_text(HEAD + rules, encoding="utf-8")
    loaded = load(tmp_path)
    names = [
        found and found.name
        for code in (577, 550)
        if (found := loaded.match(Evidence(diagnostic="zebra", reply_code=code)))
    ]
    assert names == ["own.special", "own.plain"]


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
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
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
        ("user ann, 4bk2zb1hqz", "user ann,"),
        ("4.4.7 expired after 3600 s", "4.4.7 expired after 3600 s"),
        ("a" * 5_000, "a" * 4_000),
    ],
)
def test_what_differs_from_mail_to_mail_is_not_seen(text: str, seen: str) -> None:
    assert readable(text) == seen
