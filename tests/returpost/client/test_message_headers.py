"""The headers of a message: what comes back by any of them names mailing and recipient for certain."""

import re
from datetime import UTC, datetime, timedelta
from email import message_from_string
from typing import Any

import pytest

from returpost.bounces import ReturnPaths
from returpost.bounces.events.mails import read_mail
from returpost.client import headers
from returpost.contracts import DeliveryRecorded
from returpost.contracts.unsubscribe_link import unseal
from returpost.errors import InvalidAddress, InvalidSettings

KEY = "k" * 32
NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
GIVEN: dict[str, Any] = {
    "tenant": "acme", "mailing": "spring-7", "recipient": "ann@example.com", "domain": "bounces.example.net",
    "url": "https://mail.example.net/", "stream": "news", "sender_id": "acme-news", "now": NOW,
}  # fmt: skip
PATHS = ReturnPaths(keys=(KEY,)).of("acme")


def recorded(mail: str, sent_to: str) -> list[tuple[str, str, str]]:
    read = read_mail(
        mail.replace("\n", "\r\n").encode(), tenant="acme", sender=None, now=NOW, paths=PATHS, sent_to=[sent_to]
    )
    found = [data for _, data in read.events if isinstance(data, DeliveryRecorded)]
    return [(data.mailing, data.address, data.result.value) for data in found]


def test_headers_are_those_of_the_standards() -> None:
    made = headers(KEY, **GIVEN)
    assert made.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(r"<https://mail\.example\.net/u/([\w-]+)>, <mailto:(\S+)\?subject=unsubscribe>",
                         made.headers["List-Unsubscribe"])  # fmt: skip
    assert found is not None
    link = unseal(found[1], [KEY], NOW)
    assert link is not None
    assert (link.tenant, link.address, link.mailing, link.stream) == ("acme", "ann@example.com", "spring-7", "news")
    assert unseal(found[1], [KEY], NOW + timedelta(days=366)) is None
    assert made.headers["Feedback-ID"] == "spring-7:acme:news:acme-news"
    assert made.headers["CFBL-Address"].endswith("@bounces.example.net; report=arf")
    assert made.return_path.startswith("bounce+a")
    assert all(value.isascii() and len(value) < 998 for value in made.headers.values())


def test_mail_to_the_unsubscribe_address_names_whom_and_what() -> None:
    path = re.search(r"mailto:([^?]+)", headers(KEY, **GIVEN).headers["List-Unsubscribe"])
    assert path is not None
    mail = f"From: Ann <someone.else@example.org>\nTo: {path[1]}\nSubject: unsubscribe\n\n\n"
    assert recorded(mail, path[1]) == [("spring-7", "ann@example.com", "unsubscribed")]


def test_complaint_to_the_feedback_address_names_whom_and_what() -> None:
    path = headers(KEY, **GIVEN).headers["CFBL-Address"].partition(";")[0]
    mail = (
        f"From: fbl@mailbox.example\nTo: {path}\nSubject: complaint\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nA complaint.\n"
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: F/1\nVersion: 1\n\n"
        "--b\nContent-Type: text/rfc822-headers\n\nSubject: Spring\nFrom: news@example.net\n\n--b--\n"
    )
    assert message_from_string(mail).is_multipart()
    assert recorded(mail, path) == [("spring-7", "ann@example.com", "complained")]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"url": "http://mail.example.net"}, InvalidSettings),
        ({"sender_id": "a:b:c"}, InvalidSettings),
        ({"sender_id": "abc"}, InvalidSettings),
        ({"lifetime": timedelta()}, InvalidSettings),
        ({"recipient": "ann"}, InvalidAddress),
        ({"recipient": "ann@example.com\r\nBcc: eve@example.com"}, InvalidAddress),
    ],
)
def test_headers_refuse_what_is_none(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        headers(KEY, **GIVEN | changes)


def test_headers_hold_no_line_break_of_a_mailing() -> None:
    made = headers(KEY, **GIVEN | {"mailing": "spring:7 æ"})
    assert made.headers["Feedback-ID"] == "spring-7-:acme:news:acme-news"
    with pytest.raises(InvalidSettings):
        headers(KEY, **GIVEN | {"mailing": "spring\r\nBcc: eve@example.com"})
