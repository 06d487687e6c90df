"""Mutation of rules: what could go without any change is named, and nothing else."""

from pathlib import Path

from bench.accuracy.laws import replies
from returpost.bounces.rules import load
from returpost.bounces.rules.mutation import redundant
from returpost.contracts import Evidence

RULE = '[[rule]]\nname = "{name}"\nreason = "{reason}"\nprecedence = {precedence}\npatterns = ["{pattern}"]\n'


def test_a_rule_behind_another_of_the_same_reason_is_redundant(tmp_path: Path) -> None:
    rules = [
        RULE.format(name="wide", reason="policy", precedence=990, pattern="zebra"),
        RULE.format(name="narrow", reason="policy", precedence=991, pattern="purple zebra"),
        RULE.format(name="other", reason="virus", precedence=992, pattern="green zebra"),
    ]
    (tmp_path / "own.toml").write_text('about = "own"\n' + "".join(rules), encoding="utf-8")
    past = [Evidence(diagnostic=f"550 {colour} zebra", reply_code=550) for colour in ("purple", "green", "grey")]
    found = redundant(load(tmp_path), past)
    assert "own.narrow" in found
    assert not {"own.wide", "own.other"} & set(found)


def test_few_packaged_rules_are_redundant() -> None:
    """Providers' rules say surer what a general rule says, too; of the others nearly every one changes a verdict."""
    rules = load()
    general = {"authoritative", "recipient", "sender", "transport", "languages", "fallback"}
    past = [Evidence(diagnostic=text) for text in replies(rules)]
    unneeded = [name for name in redundant(rules, past) if name.partition(".")[0] in general]
    assert len(unneeded) <= 6, unneeded
