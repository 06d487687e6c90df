"""`returpost rules`: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from returpost.cli.operate.rules import app
from returpost.contracts import Evidence
from returpost.errors import InvalidSettings

OWN = 'about = "own"\n[[rule]]\nname = "mine"\nreason = "{reason}"\npatterns = ["zebra"]\nexamples = ["purple zebra"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    (own / "own.toml").write_text(OWN.format(reason="user_unknown"), encoding="utf-8")
    return own


@pytest.fixture
def replies(tmp_path: Path) -> Path:
    path = tmp_path / "replies.txt"
    path.write_text("550 5.1.1 user unknown\n550 purple zebra\n421 qwerty\n", encoding="utf-8")
    return path


def run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output


def test_rules_are_tested(folder: Path) -> None:
    assert run("test")[0] == 0
    code, said = run("test", folder)
    assert code == 0
    assert "*: " in said


def test_doubts_end_with_1(folder: Path) -> None:
    code, said = run("lint", folder)
    assert code == 1
    assert "own: rule mine: has no source" in said


def test_coverage_counts_what_decides(replies: Path) -> None:
    code, said = run("coverage", "--lines", "--json", replies)
    found = json.loads(said)
    assert code == 0
    assert (found["bounces"], found["by_rule"], found["by_code"], found["by_nothing"]) == (3, 1, 2, 0)
    assert "recipient.unknown-by-both" in found["rules"]
    assert "recipient.unknown-by-both" not in found["never"]


def test_a_dead_address_more_ends_with_1(folder: Path, replies: Path) -> None:
    code, said = run("diff", folder, "--lines", "--json", replies)
    (change,) = map(json.loads, said.splitlines())
    assert code == 1
    assert change["reason"] == ["undetermined", "user_unknown"]
    assert change["dead_address"] == [False, True]
    assert change["rule"] == ["tables.reply_code", "own.mine"]
    (folder / "own.toml").write_text(OWN.format(reason="policy"), encoding="utf-8")
    assert run("diff", folder, "--lines", replies)[0] == 0


def test_past_bounces_may_be_events(folder: Path, tmp_path: Path) -> None:
    evidence = Evidence(diagnostic="550 purple zebra", reply_code=550).model_dump(mode="json")
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps([{"data": {"evidence": evidence}}, {"data": {"evidence": evidence}}]), encoding="utf-8")
    assert "2 of 2 verdicts would change" in run("diff", folder, path)[1]


def test_a_file_that_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["diff", str(folder), str(tmp_path / "nowhere")])
    assert isinstance(result.exception, InvalidSettings)
    assert "nowhere: No such file" in str(result.exception)
