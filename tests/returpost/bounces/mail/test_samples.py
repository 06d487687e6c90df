"""Every sample mail is read as it is meant, in whatever line ends it comes."""

from collections import defaultdict
from pathlib import Path

import pytest

from deploy.demo.samples import Expectation, expectations, paths
from returpost.bounces import ParsedMail, parse
from returpost.contracts import BounceReceived, Evidence

EXPECTED: dict[str, list[Expectation]] = defaultdict(list)
for expectation in expectations():
    EXPECTED[expectation.file].append(expectation)


def told(mail: ParsedMail) -> set[tuple[str, str | None, str, str | None]]:
    return {(r.recipient, r.original_recipient, r.evidence.kind.value, r.evidence.status) for r in mail.reports}


def test_every_sample_has_an_expectation() -> None:
    assert {path.name for path in paths()} == set(EXPECTED)
    assert len(EXPECTED) >= 45


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_samples_are_read_as_meant(path: Path) -> None:
    expected = {(e.recipient, e.original_recipient, e.kind, e.status) for e in EXPECTED[path.name]}
    assert told(parse(path.read_bytes())) == expected


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_line_ends_and_mbox_change_nothing(path: Path) -> None:
    body = path.read_bytes().replace(b"\r\n", b"\n")
    expected = told(parse(body))
    assert told(parse(body.replace(b"\n", b"\r\n"))) == expected
    assert told(parse(body.replace(b"\n", b"\r"))) == expected
    assert told(parse(b"From MAILER-DAEMON Mon Nov  9 08:00:00 2026\n" + body)) == expected


@pytest.mark.parametrize("path", paths(), ids=lambda path: path.stem)
def test_evidence_keeps_the_contract(path: Path) -> None:
    for report in parse(path.read_bytes()).reports:
        assert Evidence.model_validate(report.evidence.model_dump()) == report.evidence
        event = {"mailing": "m", "address": report.recipient, "time": "2026-11-09T08:00:00Z", "sender": "s"}
        assert BounceReceived.model_validate(event | {"evidence": report.evidence}).address == report.recipient


@pytest.mark.parametrize(
    ("file", "mailing"),
    [
        ("postfix-user-unknown.eml", "autumn-2026"),  # header of the returned message
        ("mbox-crlf-verp.eml", "autumn-2026"),  # return path
        ("amazon-sns-notification.eml", "autumn-2026"),  # headers in JSON
        ("gmail-old-prose.eml", "autumn-2026"),  # headers in the text
        ("auto-reply-german.eml", None),
    ],
)
def test_mailing(file: str, mailing: str | None) -> None:
    path = next(path for path in paths() if path.name == file)
    assert parse(path.read_bytes()).mailing == mailing
