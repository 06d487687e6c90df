"""Notices of many programs in many languages, and mails that are none: who failed, and what is said of whom.

The mails stand in `notices/*.mbox`. Each begins with what is expected of it, a line a recipient (`none`: no report):

    X-Expect: kind recipient [status or - [words of the diagnostic]]

Judged before they were first run (1 December 2026): of those of `families.mbox`,
149 of 155 right.
"""

from pathlib import Path

import pytest

from returpost.bounces import parse
from returpost.cli.input_files import Mail, read_path

EXPECT = b"X-Expect: "


def mails() -> list[tuple[str, bytes, list[str]]]:
    """Return name, bytes and expectations of each."""
    found = []
    for path in sorted((Path(__file__).parent / "notices").glob("*.mbox")):
        names = [line.split()[1] for line in path.read_text("latin-1").splitlines() if line.startswith("From ")]
        for name, mail in zip(names, read_path(path), strict=True):
            assert isinstance(mail, Mail)
            lines = mail.content.splitlines(keepends=True)
            expected = [line.removeprefix(EXPECT).decode().strip() for line in lines if line.startswith(EXPECT)]
            body = b"".join(line for line in lines if not line.startswith(EXPECT))
            found.append((f"{path.stem}/{name}", body, expected))
    return found


MAILS = mails()


@pytest.mark.parametrize(("body", "expected"), [mail[1:] for mail in MAILS], ids=[name for name, _, _ in MAILS])
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
