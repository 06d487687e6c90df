"""Whom a notice is about: nobody else is ever taken for the recipient, and a guess says that it is one."""

import pytest

from returpost.bounces import ParsedMail, parse
from returpost.contracts import Kind, RecipientSource

OWN = {"bounces@news.example.com", "news@news.example.com", "bounces+7@news.example.com"}
RETURNED = "From: News <news@news.example.com>\nTo: {to}\nSubject: November\nMessage-ID: <n1@news.example.com>\n"


def prose(text: str, *, author: str = "MAILER-DAEMON@mx.example.net", headers: str = "", to: str = "") -> bytes:
    copy = f"\n--- Below this line is a copy of the message.\n\n{RETURNED.format(to=to)}\nhello\n" if to else ""
    return (
        f"Return-Path: <>\nFrom: Mail System <{author}>\nTo: bounces@news.example.com\n"
        f"Subject: Undelivered Mail Returned to Sender\n{headers}\n{text}\n{copy}"
    ).encode()


def report(
    fields: str, *, text: str = "Delivery failed.", to: str = "", original: str = "", headers: str = ""
) -> bytes:
    returned = RETURNED.format(to=to) + original if to else "Subject: November\n"
    return (
        f"Return-Path: <>\nFrom: MAILER-DAEMON@mx.example.net\nTo: bounces@news.example.com\n{headers}"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain\n\n{text}\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n{fields}\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned}\n--b--\n"
    ).encode()


def named(mail: ParsedMail) -> list[str]:
    return [item.recipient for item in mail.reports]


LOCAL_PARTS = (
    "users", "user17", "mailman", "address.book", "mottaker", "mottakeren", "recipients", "email", "e-mail",
    "no-reply", "o'brien", "a=b", "12345", "jørgen", "mailbox", "to", "for", "rcpt", "postmaster", "list",
)  # fmt: skip
FORMS = (
    "The following address failed:\n\n{address}\n  550 5.1.1 User unknown",
    "The following addresses had permanent errors:\n\n<{address}>:\n  550 5.1.1 User unknown",
    "I could not deliver your message to the following recipient:\n\nRecipient: {address}\nReason: User unknown",
    "Your message could not be delivered.\n\nRecipient address: <{address}>\nError: 550 No such user",
    "Delivery failed.\n\nE-mail: {address}\nUser unknown",
    "Meldingen kunne ikke leveres.\n\nMottaker: {address}\nBrukeren finnes ikke",
    "Your message to <{address}> could not be delivered: mailbox unavailable.",
    "The following message to <{address}> was undeliverable.\nThe reason for the problem:\n5.1.0 - Unknown address",
)


@pytest.mark.parametrize("local", LOCAL_PARTS)
@pytest.mark.parametrize("form", FORMS)
def test_prose_keeps_the_whole_local_part(form: str, local: str) -> None:
    address = f"{local}@kunde.example"
    if "'" in local and f"<{address}>" not in form.format(address=address):
        pytest.skip("an apostrophe outside brackets may be a word's")
    assert named(parse(prose(form.format(address=address)))) == [address]


@pytest.mark.parametrize("local", LOCAL_PARTS)
def test_field_keeps_the_whole_local_part(local: str) -> None:
    address = f"{local}@kunde.example"
    body = report(f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1", to=address)
    (found,) = parse(body).reports
    assert (found.recipient, found.evidence.recipient_source) == (address, RecipientSource.FINAL_RECIPIENT)


@pytest.mark.parametrize("name", ["ann", "undisclosed-recipients:;", "|/usr/bin/procmail", "Ann Berg", "ann@", ""])
def test_unreadable_address_blames_nobody(name: str) -> None:
    fields = f"Final-Recipient: rfc822; {name}\nAction: failed\nStatus: 5.1.1"
    mail = parse(report(fields, to="everybody@lists.example", original="List-Id: <everybody.lists.example>\n"))
    assert mail.kind is Kind.FAILURE
    assert named(mail) == []
    assert mail.problem.startswith("reports: ")


def test_unreadable_address_is_completed_by_the_message() -> None:
    fields = "Final-Recipient: rfc822; ann\nAction: failed\nStatus: 5.1.1"
    assert named(parse(report(fields, to="ann@kunde.example"))) == ["ann@kunde.example"]
    assert named(parse(report(fields, to="ben@kunde.example"))) == []


def test_host_without_a_dot_is_an_address_of_a_field() -> None:
    assert named(parse(report("Final-Recipient: rfc822; ann@mailhub\nAction: failed"))) == ["ann@mailhub"]


def test_quotes_around_the_whole_address_are_none_of_it() -> None:
    fields = 'Final-Recipient: rfc822; <"ann@kunde.example">\nAction: failed\nStatus: 5.1.1'
    assert named(parse(report(fields))) == ["ann@kunde.example"]


def test_to_of_the_returned_message_is_a_guess() -> None:
    (found,) = parse(prose("Your message could not be delivered.", to="ann@kunde.example")).reports
    assert (found.recipient, found.evidence.guessed) == ("ann@kunde.example", True)


@pytest.mark.parametrize(
    "text",
    [
        "Your mail could not be delivered. For questions contact us at help@mx.example.net.",
        "Delivery failed.\nIf you need assistance, write to postmaster@mx.example.net\n",
        "Undeliverable.\n\nFor further assistance contact:\n\n   support@mx.example.net\n",
        "Sorry bounces@news.example.com. Your mail to the following recipients could not be delivered:\n\n\tmyname\n",
        (
            "Your message\n\n  To:      bounces@news.example.com\n  Subject: X\n\n"
            "did not reach the following recipient(s):\n\n"
            "Ann Berg on Fri, 14 Sep 2026 18:52:54 +0300\n    The recipient was unavailable\n"
        ),
        "Message undeliverable.\n\nSender Address:\nbounces+7@news.example.com\n\nRecipient unknown.\n",
    ],
)
def test_prose_that_names_nobody_blames_nobody(text: str) -> None:
    mail = parse(prose(text))
    assert mail.kind is Kind.FAILURE
    assert named(mail) == []


def test_contact_in_the_prologue_is_not_the_recipient() -> None:
    text = (
        "This is the mail system at mx.example.net. Contact us at help@mx.example.net if you need help.\n\n"
        "Your message could not be delivered to:\n\n<ann@kunde.example>: 550 5.1.1 User unknown\n"
    )
    assert named(parse(prose(text))) == ["ann@kunde.example"]


@pytest.mark.parametrize(
    "text",
    [
        (
            "<ann@kunde.example>: host mx.kunde.example[1.2.3.4] said: 550 5.1.1\n"
            "    <postmaster@other.example>: Recipient address rejected: User unknown "
            "(in reply to RCPT TO\n    command)\n"
        ),
        (
            "<ann@kunde.example>: host mx.kunde.example[1.2.3.4] said: 550 5.1.1\n"
            "<ben@other.example>: Recipient address rejected: User unknown (in reply to RCPT TO command)\n"
        ),
        (
            "  ann@kunde.example\n    host mx.kunde.example [192.0.2.1]\n    SMTP error from remote mail server after "
            "RCPT TO:<ben@other.example>:\n    550 5.1.1 User unknown\n"
        ),
    ],
)
def test_wrapped_reply_is_no_second_recipient(text: str) -> None:
    body = prose(f"This is the mail system at host mx.example.net.\n\nThe following address(es) failed:\n\n{text}")
    (found,) = parse(body).reports
    assert (found.recipient, found.evidence.reply_code) == ("ann@kunde.example", 550)


def test_each_recipient_has_its_own_reply() -> None:
    text = (
        "This is the mail system at host mx.example.net.\n\n<ann@kunde.example>: "
        "host mx.kunde.example[1.2.3.4] said: 550 5.1.1 User unknown (in reply to RCPT TO command)\n"
        "\n<ben@kunde.example>: host mx.kunde.example[1.2.3.4] "
        "said: 452 4.2.2 Mailbox full (in reply to RCPT TO command)\n"
    )
    found = {item.recipient: item.reply.text for item in parse(prose(text)).reports}
    assert found == {"ann@kunde.example": "550 5.1.1 User unknown", "ben@kunde.example": "452 4.2.2 Mailbox full"}


@pytest.mark.parametrize("count", [200, 5_000])
def test_report_on_many_recipients_loses_none(count: int) -> None:
    names = [f"u{number}@kunde{number % 7}.example" for number in range(count)]
    fields = "\n\n".join(
        f"Final-Recipient: rfc822; {name}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown"
        for name in names
    )
    assert named(parse(report(fields))) == names


@pytest.mark.parametrize("count", [200, 5_000])
def test_prose_on_many_recipients_loses_none(count: int) -> None:
    names = [f"u{number}@kunde{number % 7}.example" for number in range(count)]
    text = "The following addresses failed:\n\n" + "\n".join(f"<{name}>:\n550 5.1.1 User unknown\n" for name in names)
    assert named(parse(prose(text))) == names


@pytest.mark.parametrize(
    "headers",
    [
        "List-Id: <n.lists.example>\nList-Unsubscribe: <mailto:u@lists.example>\nPrecedence: list\n",
        "X-Autogenerated: Mirror\n",
        "Auto-Submitted: auto-replied\n",
        "List-Post: <mailto:n@lists.example>\nSender: n-bounces@lists.example\nX-Autogenerated: Group\n",
    ],
)
def test_bounce_through_a_list_is_a_bounce(headers: str) -> None:
    text = "The following address(es) failed:\n\n  ann@kunde.example\n    550 5.1.1 User unknown\n"
    mail = parse(prose(text, headers=headers))
    assert (mail.kind, named(mail)) == (Kind.FAILURE, ["ann@kunde.example"])
    listed = prose(text, headers=headers).replace(b"Return-Path: <>", b"Return-Path: <n-bounces@lists.example>")
    assert named(parse(listed)) == ["ann@kunde.example"]
    fields = "Final-Recipient: rfc822; ann@kunde.example\nAction: failed\nStatus: 5.1.1"
    assert parse(report(fields, headers=headers)).kind is Kind.FAILURE
