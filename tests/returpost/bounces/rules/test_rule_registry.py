"""Rules of operators and of tenants: whose go before whose, and what happens when a file changes."""

import os
from pathlib import Path

import pytest

from returpost.bounces.explain import explained
from returpost.bounces.rules import RuleRegistry, Rules, load
from returpost.bounces.rules.lint import warnings
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence
from returpost.errors import InvalidSettings

A_ZEBRA = '[[rule]]\nname = "a"\nreason = "policy"\npatterns = ["zebra"]\n'
UNKNOWN = Evidence(diagnostic="550 5.1.1 user unknown", reply_code=550, status="5.1.1")


def write(path: Path, reason: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'about = "own"\n[[rule]]\nname = "mine"\nreason = "{reason}"\npatterns = ["user unknown"]\n',
        encoding="utf-8",
    )
    later = path.stat().st_mtime_ns + 1_000_000 * len(reason)
    os.utime(path, ns=(later, later))


def reason(book: RuleRegistry, tenant: str) -> str:
    return classify(UNKNOWN, book.of(tenant)).reason


def test_a_tenants_rules_go_before_the_operators_and_these_before_the_packaged(tmp_path: Path) -> None:
    assert reason(RuleRegistry(), "acme") == "user_unknown"
    write(tmp_path / "own.toml", "policy")
    write(tmp_path / "tenants" / "acme" / "acme.toml", "virus")
    book = RuleRegistry(tmp_path)
    assert (reason(book, "acme"), reason(book, "rival")) == ("virus", "policy")
    assert set(book.versions()) == {"*", "acme"}
    assert len({*book.versions().values(), load().version}) == 3


def test_changed_files_are_taken_without_a_restart(tmp_path: Path) -> None:
    write(tmp_path / "own.toml", "policy")
    book = RuleRegistry(tmp_path)
    before = book.shared.version
    assert not book.refresh()
    write(tmp_path / "own.toml", "virus")
    assert book.refresh()
    assert reason(book, "acme") == "virus"
    assert book.shared.version != before
    (tmp_path / "own.toml").unlink()
    assert book.refresh()
    assert (reason(book, "acme"), book.shared.version) == ("user_unknown", load().version)


def test_a_broken_file_leaves_the_rules_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "own.toml", "policy")
    book = RuleRegistry(tmp_path)
    write(tmp_path / "own.toml", "weather")
    assert not book.refresh()
    assert book.fault is not None
    assert "own.toml: rule mine: reason" in book.fault
    assert "not 'weather'" in book.fault
    assert reason(book, "acme") == "policy"
    write(tmp_path / "own.toml", "security")
    assert book.refresh()
    assert not book.fault
    assert reason(book, "acme") == "security"


def test_a_broken_file_at_the_start_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "tenants" / "acme" / "own.toml", "weather")
    with pytest.raises(InvalidSettings, match=r"tenants/acme/own\.toml: rule mine"):
        RuleRegistry(tmp_path)


def test_a_verdict_says_which_rules_were_in_force() -> None:
    rules = load()
    assert classify(UNKNOWN, rules).rules == rules.version
    assert rules.version.startswith(f"{rules.tables.version}+")


def test_runners_up_are_told_in_their_order() -> None:
    rules = load()
    told = explained(Evidence(diagnostic="550 user unknown; relaying denied", reply_code=550), rules)
    assert told["reason"] == "relay_denied"
    others = [other["rule"] for other in told["runners_up"]]
    names = [placed.name for placed in rules]
    assert others
    assert [names.index(name) for name in others] == sorted(names.index(name) for name in others)
    assert told["rule"] not in others


def rules_of(folder: Path, text: str) -> Rules:
    (folder / "own.toml").write_text(f'about = "own"\n{text}', encoding="utf-8")
    return load(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[rule]]\nname = "mine"\nreason = "policy"\npatterns = ["zebra"]', "mine: has no example"),
        ('[[rule]]\nname = "mine"\nreason = "policy"\npatterns = ["Zebra"]', "capital letters"),
        ('[[rule]]\nname = "mine"\nreason = "policy"\npatterns = ["zebra.*"]', "says nothing"),
        (
            A_ZEBRA + 'examples = ["zebra"]\n[[rule]]\nname = "b"\nreason = "virus"\npatterns = ["zebr"]',
            "own.a and own.b with the same precedence make different reasons",
        ),
        (
            A_ZEBRA + '[[rule]]\nname = "b"\nreason = "virus"\npatterns = ["zebra"]',
            "own.a, which goes before, has the pattern 'zebra'",
        ),
    ],
)
def test_doubts_are_told_with_file_and_rule(tmp_path: Path, text: str, says: str) -> None:
    found = list(warnings(rules_of(tmp_path, text), {"own"}))
    assert any(says in doubt for doubt in found), found
    assert all(doubt.startswith("own: rule ") for doubt in found)
