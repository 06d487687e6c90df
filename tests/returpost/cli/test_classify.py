"""`returpost classify`: the verdict on mails, mboxes and lines, without broker or database."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from deploy.demo.samples import expectations, paths
from returpost.cli.root import app

SAMPLES = [str(path) for path in paths()]


def judged(*arguments: str, input_: str | None = None, code: int = 0) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, ["classify", "--json", *arguments], input=input_)
    assert done.exit_code == code, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_sample_is_judged_as_expected() -> None:
    found = {(Path(row["file"]).name, row["recipient"], row["type"], row["dead_address"]) for row in judged(*SAMPLES)}
    assert found == {(one.file, one.recipient, one.type, bool(one.dead_address)) for one in expectations()}


def test_an_mbox_is_all_of_its_mails(tmp_path: Path) -> None:
    mbox = tmp_path / "spool.mbox"
    mbox.write_bytes(b"".join(b"From x\n" + Path(name).read_bytes() + b"\n\n" for name in SAMPLES[:3]))
    alone = [row["recipient"] for row in judged(*SAMPLES[:3])]
    assert [row["recipient"] for row in judged(str(mbox))] == alone
    assert len(alone) >= 3


def test_lines_and_standard_input() -> None:
    (one, other) = judged("--lines", "-", input_="550 5.1.1 User unknown\n452 4.2.2 Mailbox full\n")
    assert (one["type"], one["reason"]) == ("hard", "user_unknown")
    assert (other["type"], other["reason"]) == ("soft", "mailbox_full")


def test_what_is_no_report_says_so_and_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    letter = tmp_path / "letter.eml"
    letter.write_text("From: a@example.com\nSubject: Hello\n\nHow are you?\n")
    (row,) = judged(str(letter), str(tmp_path / "nowhere.eml"), code=2)
    assert (row["recipient"], row["type"], row["rule"]) == (None, "none", None)


def test_lines_are_told_by_their_number_and_bad_ones_named(tmp_path: Path) -> None:
    replies = tmp_path / "replies.txt"
    replies.write_bytes(b"550 5.1.1 User unknown\n\n550 \xff\n")
    done = CliRunner().invoke(app, ["classify", "--lines", str(replies)])
    assert f"{replies}:2: there is nothing on this line" in done.stderr
    assert f"{replies}:3: not all of this line is UTF-8" in done.stderr
    assert f"{replies}:1  hard  user_unknown" in done.stdout.replace("\n", "")


def test_a_folder_without_files_says_so(tmp_path: Path) -> None:
    assert f"{tmp_path}: there are no files" in CliRunner().invoke(app, ["classify", str(tmp_path)]).stderr


def test_json_names_the_deciding_words_and_the_diagnostic() -> None:
    (row,) = judged("--lines", "-", input_="550 5.1.1 User unknown\n")
    assert row["text"] == "user unknown"
    assert row["diagnostic"] == "550 5.1.1 User unknown"


def test_nothing_recognised_is_an_exit_code(tmp_path: Path) -> None:
    letter = tmp_path / "letter.eml"
    letter.write_text("From: a@example.com\nSubject: Hello\n\nHow are you?\n")
    (row,) = judged(str(letter), code=1)
    assert row["problem"].startswith("notice: ")


def test_a_line_with_nothing_known_is_an_exit_code() -> None:
    known, unknown = judged("--lines", "-", input_="550 qwerty\nthe quick brown fox\n", code=1)
    assert known["problem"] is None
    assert (unknown["reason"], unknown["dead_address"]) == ("undetermined", False)
    assert unknown["problem"].startswith("line: ")
    done = CliRunner().invoke(app, ["classify", "--lines", "-"], input="the quick brown fox\n")
    assert done.exit_code == 1
    assert "nothing recognised: line" in done.stdout.replace("\n", " ")


def test_recipient_that_is_reported_twice_is_one_line(tmp_path: Path) -> None:
    group = "Final-Recipient: rfc822; ann@example.com\nAction: failed\nStatus: 5.1.1\n\n"
    mail = tmp_path / "twice.eml"
    mail.write_text(
        "From: MAILER-DAEMON@mx.example.net\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.example.net\n\n{group}{group.replace('rfc822;', 'rfc822; Ann')}{group.upper()}"
    )
    assert [row["recipient"] for row in judged(str(mail))] == ["ann@example.com"]


def test_explain_shows_each_stage() -> None:
    name = next(path for path in SAMPLES if path.endswith("postfix-user-unknown.eml"))
    (row,) = judged("--explain", name)
    stages = row["stages"]
    assert stages["notice"]["read_as"] == "rfc3464"
    assert any("message/delivery-status" in part for part in stages["structure"])
    assert stages["reports"][0]["recipient_read_from"] == "final_recipient"
    assert stages["reports"][0]["diagnostic_read_from"] == "diagnostic-code"
    shown = CliRunner().invoke(app, ["classify", "--explain", name]).stdout
    assert "structure:" in shown
    assert "recipient_read_from: final_recipient" in shown
