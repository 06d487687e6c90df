"""The reply is taken out of every form, out of forms within forms, and out of none where there is none."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.bounces.frames import unwrap
from returpost.bounces.frames.transcript import exchanges, refusal
from returpost.bounces.frames.unwrap import FRAMES, MAX_TEXT
from returpost.contracts.enums import Command

DATA = tomllib.loads(FRAMES.read_text(encoding="utf-8"))
FORMS = [*DATA["frame"], *DATA["trailer"]]
REPLIES = (
    "550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
    "552 5.2.2 The mailbox is over quota",
    "554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.example",
    "421 4.7.0 Try again later, closing connection",
    "550 Requested action not taken: mailbox unavailable",
)
SESSION = """\
   ----- Transcript of session follows -----
... while talking to mx.example.com.:
>>> STARTTLS
<<< 454 4.3.3 TLS not available
>>> MAIL From:<news@sender.example> SIZE=2000
<<< 250 2.1.0 Sender ok, but publish an SPF record
>>> RCPT To:<ann@example.com>
<<< 250 2.1.5 Recipient ok
>>> RCPT To:<bob@example.com>
<<< 550-5.1.1 The account does not exist.
<<< 550 5.1.1 Check the spelling.
550 5.1.1 <bob@example.com>... User unknown
>>> RCPT To:<eva@example.com>
<<< 452 4.2.2 Mailbox full
>>> DATA
<<< 503 5.0.0 Need RCPT
"""


@pytest.mark.parametrize("form", FORMS, ids=[form["name"] for form in FORMS])
def test_form_gives_up_its_reply(form: dict[str, Any]) -> None:
    found = unwrap(form["example"])
    assert (found.text, found.host, found.command) == (form["reply"], form.get("host"), form.get("answers"))
    assert form["name"] in found.frames


@pytest.mark.parametrize("form", FORMS, ids=[form["name"] for form in FORMS])
@pytest.mark.parametrize("reply", REPLIES)
def test_form_gives_up_other_replies(form: dict[str, Any], reply: str) -> None:
    if form["name"] in ("phpmailer", "swiftmailer", "python-smtplib", "cisco-quoted"):
        pytest.skip("the code stands apart from the words")
    framed = form["example"].replace(form["reply"], reply)
    if framed[:1] in "45" and framed[:1] != reply[:1]:
        pytest.skip("the relay's own class of reply stands")
    assert unwrap(framed).text == reply


@pytest.mark.parametrize("reply", REPLIES)
def test_bare_reply_is_itself(reply: str) -> None:
    assert unwrap(reply) == (reply, None, None, ())


def test_frames_within_frames_are_all_taken_off() -> None:
    found = unwrap(
        "smtp; Remote Server returned '554 5.0.0 host relay.example[192.0.2.7] said: 554 SMTP error from remote mail "
        "server after RCPT TO:<ann@example.com>: host mx.example.com [192.0.2.1]: 550 5.1.1 User unknown "
        "(in reply to end of DATA command)'"
    )
    assert found.text == "550 5.1.1 User unknown"
    assert (found.host, found.command, found.code, found.status) == ("mx.example.com", Command.RCPT, 550, "5.1.1")
    assert found.frames == ("postfix", "exim", "in-reply-to")


def test_temporary_relay_stays_temporary() -> None:
    text = "450 4.1.1 <a@x.example>: unverified address: host mx.x.example[192.0.2.1] said: 550 5.1.1 User unknown"
    assert unwrap(text).code == 450


def test_transcript_keeps_each_recipients_reply() -> None:
    assert refusal(SESSION, "bob@example.com") == (
        Command.RCPT,
        "bob@example.com",
        "550-5.1.1 The account does not exist.\n550 5.1.1 Check the spelling.",
        550,
    )
    assert unwrap(SESSION, "eva@example.com").text == "452 4.2.2 Mailbox full"
    assert unwrap(SESSION).host == "mx.example.com"
    assert [turn.code for turn in exchanges(SESSION)] == [454, 250, 250, 550, 452, 503]


def test_transcript_leaves_out_what_only_follows_a_refusal() -> None:
    text = ">>> DATA\n<<< 553 5.3.0 <ann@example.com>... Unknown E-Mail Address\n<<< 503 5.0.0 Need RCPT (recipient)\n"
    assert unwrap(text).text == "553 5.3.0 <ann@example.com>... Unknown E-Mail Address"
    assert unwrap(">>> RCPT To:<a@x.example>\n<<< 503 No such recipient\n").text == "503 No such recipient"
    refused = refusal(text)
    assert refused is not None
    assert refused.command is Command.RCPT
    carrier = refusal(">>> DATA\n<<< 550 Unknown user ann@example.com\n<<< 503 5.0.0 Need RCPT (recipient)\n")
    assert carrier is not None
    assert carrier.command is Command.DATA


def test_transcript_on_one_line_is_read() -> None:
    found = unwrap(" ".join(SESSION.split()), "eva@example.com")
    assert found.text.startswith("452 4.2.2 Mailbox full")
    assert found.command is Command.RCPT


def test_log_with_underscores_is_read() -> None:
    text = "192.0.2.1_does_not_like_recipient./Remote_host_said:_550_5.1.1_User_unknown/Giving_up_on_192.0.2.1./"
    assert unwrap(text)[:3] == ("550 5.1.1 User unknown", "192.0.2.1", Command.RCPT)


@given(st.text(max_size=300), st.sampled_from(FORMS))
def test_any_text_gives_a_reply(text: str, form: dict[str, Any]) -> None:
    assert len(unwrap(form["example"].replace(form["reply"], text)).text) <= MAX_TEXT
    assert len(unwrap(text + form["example"]).text) <= MAX_TEXT
