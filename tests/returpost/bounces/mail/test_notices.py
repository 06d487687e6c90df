"""Notices of many programs in many languages, and mails that are none: who failed, and what is said of whom.

The mails stand in `notices/*.mbox`. Each begins with what is expected of it, a line a recipient (`none`: no report):

    X-Expect: kind recipient [status or - [words of the diagnostic]]
    X-Judged: recipient reason dead|alive      (several reasons by `|` where either is right, `any`, for both)

Judged before they were first run (1 December 2026): of those of `families.mbox`, 149 of 155 right; of `mime_forms.mbox`
(encodings, MIME forms, Exchange in 17 languages, several recipients, lists), recipients of 49 of 50, reasons of 48 of
52, two lists called dead for a member; of `plain_words.mbox`, all recipients and reasons, but in four the recipient was
taken for a guess, so that nobody was dead; of `lists_names_languages.mbox`, recipients of 25 of 39, reasons of 17 of 31
(15 were written after the forms of another project's set that was first read 83% right).
"""

from pathlib import Path

import pytest

from returpost.bounces import parse
from returpost.bounces.rules import load
from returpost.bounces.verdict import classify
from returpost.cli.input_files import Mail, read_path

EXPECT = b"X-Expect: "
JUDGED = b"X-Judged: "
RULES = load()


def mails() -> list[tuple[str, bytes, list[str], list[str]]]:
    """Return name, bytes, expectations and judgements of each."""
    found = []
    for path in sorted((Path(__file__).parent / "notices").glob("*.mbox")):
        names = [line.split()[1] for line in path.read_text("latin-1").splitlines() if line.startswith("From ")]
        for name, mail in zip(names, read_path(path), strict=True):
            assert isinstance(mail, Mail)
            lines = mail.content.splitlines(keepends=True)
            expected = [line.removeprefix(EXPECT).decode().strip() for line in lines if line.startswith(EXPECT)]
            judged = [line.removeprefix(JUDGED).decode().strip() for line in lines if line.startswith(JUDGED)]
            body = b"".join(line for line in lines if not line.startswith((EXPECT, JUDGED)))
            found.append((f"{path.stem}/{name}", body, expected, judged))
    return found


MAILS = mails()


@pytest.mark.parametrize(("body", "expected"), [mail[1:3] for mail in MAILS], ids=[mail[0] for mail in MAILS])
def test_what_is_told_of_whom(body: bytes, expected: list[str]) -> None:
    assert expected
    reports = {report.recipient: report for report in parse(body).reports}
    if expected == ["none"]:
        assert reports == {}
        return
    wanted = [line.split(" ", 3) for line in expected]
    assert set(reports) == {recipient for _, recipient, *_ in wanted}
    for kind, recipient, *more in wanted:
        evidence = reports[recipient].evidence
        assert evidence.kind == kind
        if more and more[0] != "-":
            assert evidence.status == more[0]
        assert "".join(more[1:]).lower() in evidence.diagnostic.lower()


@pytest.mark.parametrize(
    ("body", "judged"), [(mail[1], mail[3]) for mail in MAILS if mail[3]], ids=[mail[0] for mail in MAILS if mail[3]]
)
def test_what_is_judged_of_whom(body: bytes, judged: list[str]) -> None:
    reports = {report.recipient: report for report in parse(body).reports}
    for recipient, reasons, dead in map(str.split, judged):
        verdict = classify(reports[recipient].evidence, RULES)
        assert reasons == "any" or verdict.reason in reasons.split("|")
        assert dead == "any" or verdict.dead_address is (dead == "dead")
