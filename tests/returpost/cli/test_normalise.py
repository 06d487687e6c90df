"""`returpost normalise`: what an input becomes, without broker or database."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.demo.samples import expectations, paths
from returpost.cli.root import app
from returpost.client import return_path

KEY = "a-key-of-return-paths-that-is-long-enough"
SAMPLES = {path.name: path for path in paths()}
RESULT = {"mailing": "m", "address": "bob@example.com", "time": "2026-11-24T08:00:01Z"}


def normalised(*arguments: str, input_: str | None = None, code: int = 0) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["normalise", "--json", *arguments], input=input_)
    assert done.exit_code == code, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_sample_becomes_what_is_expected() -> None:
    rows = normalised(*(str(path) for path in SAMPLES.values()))
    found = {(Path(row["file"]).name.partition("#")[0], row["address"], row["kind"], row["status"]) for row in rows}
    assert found == {(one.file, one.recipient, one.kind, one.status) for one in expectations()}


def test_an_mbox_is_each_of_its_mails(tmp_path: Path) -> None:
    mails = [SAMPLES[name].read_bytes() for name in ("postfix-user-unknown.eml", "auto-reply-german.eml")]
    box = tmp_path / "spool.mbox"
    box.write_bytes(b"".join(b"From MAILER-DAEMON Mon Nov  9 08:00:00 2026\n" + mail + b"\n\n" for mail in mails))
    assert [(row["file"], row["result"], row["kind"]) for row in normalised(str(box))] == [
        (f"{box}#1", "bounced", "failure"),
        (f"{box}#2", None, "auto_reply"),
    ]


def test_a_provider_and_results_are_read_as_ingest_reads_them() -> None:
    event = {"event": "bounce", "email": "bob@example.com", "timestamp": 1764000000, "reason": "550 5.1.1 no such user"}
    (row,) = normalised("--from", "sendgrid", input_=json.dumps([event | {"sg_event_id": "e", "mailing": "m"}]))
    assert (row["address"], row["result"], row["status"], row["format"]) == (
        "bob@example.com",
        "bounced",
        "5.1.1",
        "sendgrid",
    )
    good, bad = RESULT | {"result": "delivered"}, RESULT | {"result": "eaten"}
    rows = normalised("--from", "results", input_=json.dumps([good, bad]), code=1)
    assert rows[0]["result"] == "delivered"
    assert (rows[1]["file"], "result" in rows[1]["problem"]) == ("-#2", True)
    assert normalised("--from", "results", input_=f"{json.dumps(good)}\n{json.dumps(good)}\n") == [rows[0]] * 2


def test_what_becomes_nothing_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"From: ann@example.com\nSubject: Lunch\n\nAt twelve?\n")
    (tmp_path / "b.eml").write_bytes(b"\x00\xff")
    (tmp_path / "c.eml").write_bytes(SAMPLES["postfix-user-unknown.eml"].read_bytes())
    (tmp_path / "d.json").write_text("{}")
    rows = normalised(str(tmp_path), code=1)
    assert [Path(row["file"]).name for row in rows] == ["a.eml", "b.eml", "c.eml", "d.json"]
    assert ["problem" in row for row in rows] == [True, True, False, True]


def test_signed_return_paths_are_read_by_the_keys_of_ingest(monkeypatch: pytest.MonkeyPatch) -> None:
    path = return_path(KEY, tenant="acme", mailing="m-1", recipient="old@example.net", domain="example.com")
    body = SAMPLES["postfix-user-unknown.eml"].read_text().replace("\nTo:", f"\nDelivered-To: {path}\nTo:", 1)
    monkeypatch.setenv("RETURPOST_INGEST_RETURN_PATH_KEYS", KEY)
    (row,) = normalised("--tenant", "acme", input_=body)
    assert (row["mailing"], row["address"]) == ("m-1", "old@example.net")
    (row,) = normalised("--tenant", "other", input_=body)
    assert (row["mailing"], row["address"]) == ("autumn-2026", "kari.nordmann@fjordpost.example")


@pytest.mark.parametrize(
    ("arguments", "words"), [(["--from", "nix"], "there are mail"), (["nowhere.eml"], "no such file")]
)
def test_wrong_use_is_explained(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["normalise", *arguments])
    assert done.exit_code == 2
    assert words in done.output


def test_people_read_lines() -> None:
    done = CliRunner().invoke(app, ["normalise", str(SAMPLES["postfix-user-unknown.eml"])], env={"COLUMNS": "200"})
    assert "kari.nordmann@fjordpost.example  bounced  autumn-2026" in done.output
    assert "550 5.1.1 <kari" in done.output
