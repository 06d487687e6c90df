"""From a parsed mail to events: one bounce for each recipient, at the time of the mail, always with the same ids."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.demo.samples import paths
from returpost.bounces import ParsedMail, Report, ReturnPaths
from returpost.bounces.events.mails import events_of_mail, mailing_of, read_mail
from returpost.contracts import BounceReceived, DeliveryRecorded, Evidence, Kind
from returpost.contracts.cloudevents import decode, event
from services.ingest.mail_sources.ingestion import letter_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WRITTEN = NOW - timedelta(days=3)


def report(n: int, kind: Kind = Kind.FAILURE) -> Report:
    return Report(f"u{n}@example.com", None, Evidence(kind=kind, reply_code=550, status="5.1.1", diagnostic="no"))


def mail(*reports: Report, **changes: Any) -> ParsedMail:
    given: dict[str, Any] = {"kind": Kind.FAILURE, "format": "rfc3464", "mailing": "m-1", "date": WRITTEN}
    return ParsedMail(**(given | {"reports": reports or (report(1),)} | changes))


def events(
    parsed: ParsedMail, identity: str = "3a3d5c3e-0000-5000-8000-000000000001", now: datetime = NOW
) -> list[Any]:
    return list(events_of_mail(parsed, identity=identity, sender="news", now=now))


def test_each_recipient_has_a_result_and_a_bounce() -> None:
    found = events(mail(report(1), report(2)))
    assert [(type(one.data).__name__, one.data.address) for one in found] == [
        ("DeliveryRecorded", "u1@example.com"),
        ("BounceReceived", "u1@example.com"),
        ("DeliveryRecorded", "u2@example.com"),
        ("BounceReceived", "u2@example.com"),
    ]
    assert {(one.data.mailing, one.data.sender) for one in found} == {("m-1", "news")}
    assert found[1].data.evidence == report(1).evidence


def test_the_same_mail_makes_the_same_ids() -> None:
    parsed = mail(report(1), report(1), report(2))
    first = [one.id for one in events(parsed)]
    assert [one.id for one in events(parsed, now=NOW + timedelta(days=9))] == first
    assert len(set(first)) == 6
    assert not {one.id for one in events(parsed, identity="another mail")} & set(first)


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (Kind.FAILURE, "bounced"),
        (Kind.DELAYED, "deferred"),
        (Kind.DELIVERED, "delivered"),
        (Kind.COMPLAINT, "complained"),
        (Kind.UNSUBSCRIBE, "unsubscribed"),
        (Kind.AUTO_REPLY, None),
        (Kind.CHALLENGE, None),
    ],
)
def test_each_kind_is_a_result_of_its_own(kind: Kind, result: str | None) -> None:
    found = events(mail(report(1, kind)))
    assert [one.data.result for one in found if isinstance(one.data, DeliveryRecorded)] == [result] * (
        result is not None
    )
    (bounce,) = [one for one in found if isinstance(one.data, BounceReceived)]
    assert bounce.data.evidence.kind is kind


def test_every_kind_is_known() -> None:
    for kind in Kind:
        assert events(mail(report(1, kind)))


@pytest.mark.parametrize(
    ("date", "time"),
    [
        (WRITTEN, WRITTEN),
        (NOW, NOW),
        (NOW + timedelta(seconds=1), NOW),
        (NOW + timedelta(days=400), NOW),
        (None, NOW),
    ],
    ids=["past", "now", "soon", "far", "none"],
)
def test_it_happened_when_the_report_was_written(date: datetime | None, time: datetime) -> None:
    assert {one.data.time for one in events(mail(date=date))} == {time}


def test_without_reports_there_are_no_events() -> None:
    assert events(mail()._replace(reports=())) == []


def test_the_mailing_is_the_one_that_is_named() -> None:
    assert mailing_of(mail(original_message_id="a@b"), "x") == "m-1"


def test_reports_on_one_message_are_of_one_mailing() -> None:
    first, second = mail(mailing=None, original_message_id="a@b"), mail(mailing=None, original_message_id="a@b")
    other = mail(mailing=None, original_message_id="c@b")
    assert mailing_of(first, "x") == mailing_of(second, "y") != mailing_of(other, "x")
    assert mailing_of(first, "x").startswith("message-")
    assert "a@b" not in mailing_of(first, "x")


def test_reports_on_unknown_messages_are_of_one_each() -> None:
    parsed = mail(mailing=None)
    assert mailing_of(parsed, "x") == mailing_of(parsed, "x") != mailing_of(parsed, "y")


@pytest.mark.parametrize("message_id", ["a@b", "\u00e6\u00f8\u00e5@b", "\ud800", "x" * 5000])
def test_a_mailing_that_stands_for_a_message_keeps_the_contract(message_id: str) -> None:
    (recorded, received) = events(mail(mailing=None, original_message_id=message_id))
    for one in (recorded, received):
        (read,), rejected = decode(
            type(one.data),
            event(one.data, id=one.id, source="/t", tenant="acme").model_dump_json(exclude_none=True).encode(),
        )
        assert not rejected
        assert read.data.mailing == one.data.mailing


BOUNCE = next(path for path in paths() if path.name == "postfix-user-unknown.eml").read_bytes()
BLACKED_OUT = (
    b'From: fbl@example.net\nContent-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n'
    b"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n--b--\n"
)


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (BOUNCE, "failure"),
        (BLACKED_OUT, "no-recipient"),
        (b"From: ann@example.com\nSubject: Lunch\n\nAt twelve?\n", "no-report"),
        (b"\x00\xff\xfe no mail at all", "unreadable"),
        (b"", "unreadable"),
    ],
)
def test_a_mail_has_events_or_is_kept_with_its_bytes(body: bytes, outcome: str) -> None:
    read = read_mail(body, tenant="acme", sender=None, now=NOW, paths=ReturnPaths())
    assert read.outcome == outcome
    assert bool(read.events) is (read.problem is None) is (outcome == "failure")
    if read.problem:
        letter = letter_of(read, body, "acme")
        assert letter.body == body
        assert read.problem in str(letter.headers)


@pytest.mark.parametrize(("given", "sender"), [(None, "default"), ("alerts", "alerts")])
def test_the_sender_that_is_given_goes_first(given: str | None, sender: str) -> None:
    read = read_mail(BOUNCE, tenant="acme", sender=given, now=NOW, paths=ReturnPaths())
    assert {event.data.sender for event in read.events} == {sender}
