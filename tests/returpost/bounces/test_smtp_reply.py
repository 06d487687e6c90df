"""Codes are found where a reply has them, and nowhere else."""

import pytest
from hypothesis import given, strategies as st

from returpost.bounces.smtp_reply import parse_reply

REPLIES = [
    ("550 5.1.1 <x@example.com>: User unknown", 550, "5.1.1", "<x@example.com>: User unknown"),
    ("smtp; 550 5.1.1 <x@example.com>: User unknown", 550, "5.1.1", "<x@example.com>: User unknown"),
    ("550-5.1.1 The account\n550-5.1.1 does not\n550 5.1.1 exist", 550, "5.1.1", "The account does not exist"),
    ("552-Mailbox\n552 full", 552, None, "Mailbox full"),
    ("host mx.example.com[203.0.113.5] said: 452 4.2.2 Over quota", 452, "4.2.2", None),
    ("Remote host said: 550 sorry, no mailbox here by that name (#5.1.1)", 550, "5.1.1", None),
    ("550: 5.2.2 <x@example.com>... Mailbox Full", 550, "5.2.2", None),
    ("554 554 5.7.0 Header error (state 18)", 554, "5.7.0", "Header error (state 18)"),
    ("Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound'", 550, "5.1.10", None),
    ("554 Message rejected: not verified", 554, None, "Message rejected: not verified"),
    ("421 Service not available", 421, None, "Service not available"),
    ("550", 550, None, ""),
    ("5.4.1 Recipient address rejected", None, "5.4.1", "Recipient address rejected"),
    ("220-mx.example.com 421 4.2.1 Service refused", 421, "4.2.1", None),
    ("250 2.1.5 Ok", 250, "2.1.5", "Ok"),
    ("451 4.07.01 Wait", 451, "4.7.1", "Wait"),
]
NO_CODES = [
    "connect to mx.example.com[10.5.1.1]:25: Connection timed out",
    "deferred due to volume - 4.16.55.1; see the page",
    "This is Postfix 2.5.1 running",
    "Sendmail version 5.7.1 at your service",
    "please call +47 550 12 345 for help",
    "tel: 555 123 4567",
    "sent at 12:45:50 on port 587",
    "retry in 450 seconds",
    "reason: 450 seconds have passed",
    "received 2026-11-09 in 552.4 ms",
    "",
]


@pytest.mark.parametrize(("text", "code", "status", "words"), REPLIES)
def test_codes_of_replies(text: str, code: int | None, status: str | None, words: str | None) -> None:
    reply = parse_reply(text)
    assert (reply.reply_code, reply.status) == (code, status)
    assert words is None or reply.text == words


@pytest.mark.parametrize("text", NO_CODES)
def test_other_numbers_are_no_codes(text: str) -> None:
    reply = parse_reply(text)
    assert (reply.reply_code, reply.status) == (None, None)


@given(st.text())
def test_any_text_has_a_reply(text: str) -> None:
    reply = parse_reply(text)
    assert reply.reply_code is None or 200 <= reply.reply_code <= 599
    assert "\n" not in reply.text


@given(st.sampled_from([550, 552, 421, 450]), st.integers(0, 7), st.integers(0, 999))
def test_codes_survive_any_detail(code: int, subject: int, detail: int) -> None:
    status = f"{code // 100}.{subject}.{detail}"
    reply = parse_reply(f"host mx.example.com[192.0.2.1] said: {code} {status} any words")
    assert (reply.reply_code, reply.status) == (code, status)
