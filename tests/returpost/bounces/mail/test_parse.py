"""What holds for mails that are no sample: odd reports, mails that are none, and bytes that are no mail."""

import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from deploy.demo.samples import paths
from returpost.bounces import parse
from returpost.bounces.mime.addresses import MAX_DIAGNOSTIC, address, stated_address
from returpost.bounces.reports.report import MAX_RECIPIENTS
from returpost.contracts import Evidence, Kind

SAMPLES = [path.read_bytes() for path in paths()]
SLOWEST = 1.0
"""Seconds of the processor, for one mail of at most 2 MiB: a busy machine is no fault of the parser."""


def read(body: bytes) -> None:
    """Parse, and hold what comes of it against the contract."""
    started = time.process_time()
    mail = parse(body)
    assert time.process_time() - started < SLOWEST
    assert len(mail.reports) <= MAX_RECIPIENTS
    for report in mail.reports:
        assert stated_address(report.recipient) == report.recipient
        assert len(report.evidence.diagnostic) <= MAX_DIAGNOSTIC
        Evidence.model_validate(report.evidence.model_dump())


@given(st.binary(max_size=4000))
def test_any_bytes_are_read(body: bytes) -> None:
    read(body)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(SAMPLES), st.integers(0, 6000), st.integers(0, 6000), st.binary(max_size=40))
def test_truncated_and_mutated_samples_are_read(body: bytes, start: int, end: int, noise: bytes) -> None:
    read(body[:end])
    read(body[:start] + noise + body[end:])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(SAMPLES), st.sampled_from(SAMPLES), st.integers(0, 4000), st.integers(0, 4000))
def test_spliced_samples_are_read(one: bytes, other: bytes, at: int, from_: int) -> None:
    read(one[:at] + other[from_:])


HOSTILE = {
    "nested multiparts": b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(9000)
    ),
    "nested messages": b"Content-Type: message/rfc822\n\n" * 20_000,
    "many parts": b'Content-Type: multipart/mixed; boundary="x"\n\n' + b"--x\n\nhello\n" * 100_000,
    "boundary without end": b'Content-Type: multipart/mixed; boundary="x"\n\n' + b"--xx\n" * 200_000,
    "one long line": b"From: mailer-daemon@example.com\n\n" + b"a@" * 500_000,
    "angle brackets": b"From: mailer-daemon@example.com\nContent-Type: text/html\n\n" + b"<a " * 300_000,
    "open comments": b"From: mailer-daemon@example.com\nContent-Type: text/html\n\n" + b"<!--" * 300_000,
    "many headers": b"X-A: 1\n" * 200_000 + b"\n",
    "folded header": b"Subject: a\n" + b" b\n" * 300_000 + b"\n",
    "encoded words": b"From: postmaster@example.com\nSubject: " + b"=?utf-8?q?" * 10_000 + b"\n\n",
    "deep json": b"Subject: x\n\n" + b'{"notificationType":' + b"[" * 50_000,
    "many recipients": b"From: mailer-daemon@example.com\n\nThe following addresses failed:\n"
    + b"".join(b"<u%d@example.com>:\nno such user\n" % n for n in range(20_000)),
    "many groups": b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@example.com\nAction: failed\n\n" * 30_000,
    "odd charsets": b"From: postmaster@example.com\nContent-Type: text/plain; charset=punycode\n\n" + b"-a" * 300_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_takes_bounded_time_and_memory(name: str) -> None:
    body = HOSTILE[name]
    read(body)
    tracemalloc.start()
    try:
        parse(body)
        assert tracemalloc.get_traced_memory()[1] < 50 * 1024 * 1024
    finally:
        tracemalloc.stop()


def report(fields: str, human: str = "Delivery failed.", headers: str = "") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example.net\nTo: bounces@example.com\n{headers}"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=b"\n\n'
        f"--=b\nContent-Type: text/plain\n\n{human}\n--=b\nContent-Type: message/delivery-status\n\n{fields}\n--=b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("Action: failed\nStatus: 5.1.1", Kind.FAILURE),
        ("Action: failed (given up)\nStatus: 4.4.7", Kind.FAILURE),
        ("Action: delayed\nStatus: 4.2.2", Kind.DELAYED),
        ("Action: Delivered\nStatus: 2.0.0", Kind.DELIVERED),
        ("Action: relayed\nStatus: 2.0.0", Kind.DELIVERED),
        ("Action: expanded\nStatus: 2.0.0", Kind.DELIVERED),
        ("Status: 2.1.5", Kind.DELIVERED),
        ("Status: 5.0.0", Kind.FAILURE),
    ],
)
def test_action_says_the_kind(fields: str, kind: Kind) -> None:
    mail = parse(report(f"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; a@example.org\n{fields}"))
    assert (mail.kind, [r.recipient for r in mail.reports]) == (kind, ["a@example.org"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rfc822; a@Example.COM", "a@example.com"),
        ("RFC822;<a@example.com>", "a@example.com"),
        ("a@example.com (Ann Example)", "a@example.com"),
        ("utf-8; bl\\x{E5}@example.com", "blå@example.com"),
        ("rfc822;a+40example.com", "a@example.com"),
        ("rfc822; a+tag@example.com", "a+tag@example.com"),
        ("<@relay.example.net:a@example.com>", "a@example.com"),
        ("x-unix; |/usr/bin/procmail", None),
        ("local; a", None),
        ("", None),
    ],
)
def test_addresses_of_fields(text: str, expected: str | None) -> None:
    assert address(text) == expected


def test_an_empty_line_within_a_recipient_does_not_part_it() -> None:
    mail = parse(report("Final-Recipient: rfc822; a@example.org\n\nAction: failed\nStatus: 5.1.1"))
    assert [(r.recipient, r.evidence.status) for r in mail.reports] == [("a@example.org", "5.1.1")]


def test_words_are_taken_from_the_prose_when_the_code_has_none() -> None:
    human = "The following recipient failed:\n\n<a@example.org>:\n  the mailbox has been closed"
    fields = "Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550"
    evidence = parse(report(fields, human)).reports[0].evidence
    assert "the mailbox has been closed" in evidence.diagnostic
    assert evidence.reply_code == 550


def test_a_clear_code_is_not_mixed_with_prose() -> None:
    fields = "Final-Recipient: rfc822; a@example.org\nAction: failed\nDiagnostic-Code: smtp; 552 5.2.2 Over quota"
    evidence = parse(report(fields, "Anything that somebody put here.")).reports[0].evidence
    assert (evidence.diagnostic, evidence.status) == ("552 5.2.2 Over quota", "5.2.2")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Subject: Lunch?\nFrom: ann@example.com\nTo: ben@example.com\n\nAt twelve? Write to cat@example.com too.\n",
        b"Subject: Undeliverable parcels\nFrom: shop@example.com\n\nYour parcel to a@example.com was not delivered.\n",
        b"Subject: Meeting\nFrom: ann@example.com\nX-Auto-Response-Suppress: All\n\nAs agreed.\n",
    ],
)
def test_ordinary_mail_is_no_report(body: bytes) -> None:
    mail = parse(body)
    assert (mail.kind, mail.reports) == (None, ())


def test_an_automatic_reply_that_speaks_of_a_full_mailbox_is_none_the_less_one() -> None:
    body = b"From: ann@example.com\nAuto-Submitted: auto-replied\nSubject: Re: News\n\nMy mailbox is full of work.\n"
    assert parse(body).kind is Kind.AUTO_REPLY


def test_a_reading_receipt_is_no_bounce() -> None:
    body = (
        b'From: ann@example.com\nContent-Type: multipart/report; report-type=disposition-notification; boundary="=b"'
        b"\n\n--=b\nContent-Type: text/plain\n\nNot read: deleted without being read.\n--=b\n"
        b"Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; ann@example.com\n"
        b"Disposition: automatic-action/MDN-sent-automatically; deleted\n--=b--\n"
    )
    assert parse(body).kind is Kind.AUTO_REPLY


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("abuse", Kind.COMPLAINT), ("fraud", Kind.COMPLAINT), ("opt-out", Kind.UNSUBSCRIBE), ("not-spam", Kind.DELIVERED)],
)
def test_feedback_types(type_: str, kind: Kind) -> None:
    body = (
        'From: fbl@example.net\nContent-Type: multipart/report; report-type=feedback-report; boundary="=b"\n\n'
        f"--=b\nContent-Type: message/feedback-report\n\nFeedback-Type: {type_}\nVersion: 1\n"
        "Original-Rcpt-To: <a@example.org>\nOriginal-Rcpt-To: <b@example.org>\n--=b--\n"
    )
    mail = parse(body.encode())
    assert mail.kind is kind
    assert [(r.recipient, r.evidence.feedback_type) for r in mail.reports] == [
        ("a@example.org", type_),
        ("b@example.org", type_),
    ]
