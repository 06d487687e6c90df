"""From evidence to verdict: what decides, and what it means."""

from typing import Any

import pytest

from returpost.bounces.rules import Rules, load
from returpost.bounces.rules.provider_codes import from_notation
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence, Fault, Kind, Reason, Verdict, VerdictType

RULES: Rules = load()


def judge(diagnostic: str = "", **evidence: Any) -> Verdict:
    words, provider, codes = from_notation(diagnostic)
    return classify(Evidence(diagnostic=words, provider=provider, provider_codes=codes, **evidence), RULES)


@pytest.mark.parametrize(
    ("text", "status", "code", "reason"),
    [
        ("550 5.7.1 user disk quota exceeded", "5.7.1", 550, "mailbox_full"),
        ("550 5.1.1 <ann@example.com>: Over quota", "5.1.1", 550, "mailbox_full"),
        ("554 5.7.1 No such user here", "5.7.1", 554, "user_unknown"),
        ("550 5.1.1 blocked using zen.spamhaus.org", "5.1.1", 550, "ip_blocked"),
        ("550 relaying denied", "5.1.1", 550, "relay_denied"),
        ("552 5.2.2 Message size exceeds fixed limit", "5.2.2", 552, "message_too_large"),
        ("451 DNS lookup timed out for example.com", "5.1.2", 451, "network_error"),
    ],
)
def test_text_goes_before_codes(text: str, status: str, code: int, reason: str) -> None:
    verdict = judge(text, status=status, reply_code=code)
    assert verdict.reason == reason
    assert verdict.text
    assert verdict.text in text.lower()
    assert not verdict.rule.startswith("tables.")


@pytest.mark.parametrize(
    ("status", "code", "reason", "rule"),
    [
        ("5.1.1", 552, "user_unknown", "tables.status"),
        ("5.2.2", 550, "mailbox_full", "tables.status"),
        ("5.7.26", 550, "auth_failed", "tables.status"),
        ("4.7.28", 450, "rate_limited", "tables.status"),
        ("5.1.10", 550, "user_unknown", "tables.status"),
        ("5.4.4", None, "domain_unknown", "tables.status"),
        ("4.4.4", None, "network_error", "tables.status"),
        ("5.6.77", None, "content_rejected", "tables.status"),  # by its subject
        (None, 550, "user_unknown", "tables.reply_code"),
        (None, 552, "mailbox_full", "tables.reply_code"),
        (None, 421, "rate_limited", "tables.reply_code"),
        ("5.9.9", 553, "bad_address", "tables.reply_code"),  # a status that says nothing
        ("5.9.9", None, "undetermined", "tables.nothing"),
        (None, None, "undetermined", "tables.nothing"),
        (None, 599, "undetermined", "tables.nothing"),
    ],
)
def test_status_goes_before_reply_code(status: str | None, code: int | None, reason: str, rule: str) -> None:
    verdict = judge("...", status=status, reply_code=code)
    assert (verdict.reason, verdict.rule) == (reason, rule)


def test_less_evidence_is_less_sure() -> None:
    sure = [
        judge("550 5.1.1 user unknown", status="5.1.1", reply_code=550),
        judge(status="5.1.1"),
        judge(reply_code=550),
        judge(),
    ]
    assert [verdict.confidence for verdict in sure] == sorted((v.confidence for v in sure), reverse=True)
    assert len({verdict.confidence for verdict in sure}) == 4


@pytest.mark.parametrize(
    ("text", "status", "code", "type_"),
    [
        ("user unknown", "5.1.1", 550, "hard"),
        ("user unknown", "4.1.1", 450, "soft"),  # a directory that fails says so, too
        ("user unknown", "5.1.1", 450, "soft"),  # the code goes before the status
        ("user unknown", "4.1.1", 550, "hard"),
        ("user unknown", "4.1.1", None, "soft"),
        ("user unknown", "4.4.1", 220, "soft"),  # a code of success is another command's
        ("user unknown", None, 250, "hard"),
        ("user unknown", None, None, "hard"),
        ("mailbox full", "5.2.2", 552, "soft"),  # whatever the class: the user may clear it
        ("mailbox full", "4.2.2", 452, "soft"),
        ("connection timed out", None, None, "soft"),
        ("blocked using zen.spamhaus.org", "5.7.1", 554, "hard"),
        ("blocked using zen.spamhaus.org", "4.7.1", 450, "soft"),
    ],
)
def test_temporary_or_final(text: str, status: str | None, code: int | None, type_: str) -> None:
    assert judge(text, status=status, reply_code=code).type == type_


def test_a_missing_mailbox_for_now_is_doubtful_and_not_dead() -> None:
    final, now = judge("user unknown", reply_code=550), judge("user unknown", reply_code=450)
    assert final.dead_address
    assert not now.dead_address
    assert now.confidence < final.confidence


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.FAILURE])
def test_what_is_no_bounce_is_never_one(kind: Kind) -> None:
    verdict = judge("550 5.1.1 user unknown", kind=kind, reply_code=550, status="5.1.1")
    assert (verdict.type, verdict.reason, verdict.fault) == (VerdictType.NONE, Reason(kind.value), Fault.NONE)
    assert (verdict.dead_address, verdict.confidence) == (False, 1.0)


DEAD = {"user_unknown", "bad_address", "domain_unknown", "not_accepting", "moved"}
SENDER = {
    "rate_limited", "message_too_large", "content_rejected", "virus", "spam_content", "ip_blocked", "bad_reputation",
    "auth_failed", "ptr_required", "sender_rejected", "relay_denied", "policy", "security", "rfc_noncompliant",
    "tls_failed",
}  # fmt: skip
NO_BOUNCE = {"complaint", "unsubscribe", "auto_reply", "challenge", "delayed", "delivered"}


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_means_what_the_domain_says(reason: Reason) -> None:
    meaning = RULES.meaning(reason)
    assert meaning.dead == (reason in DEAD)
    assert (meaning.fault is Fault.SENDER) == (reason in SENDER)
    assert (meaning.type is VerdictType.NONE) == (reason in NO_BOUNCE)
    assert not meaning.dead or meaning.fault is Fault.RECIPIENT


@pytest.mark.parametrize("reason", sorted(SENDER))
def test_a_fault_of_the_sender_never_kills_an_address(reason: str) -> None:
    examples = [example for _, rule, _ in RULES for example in rule.examples if rule.reason == reason]
    for example in examples:
        assert not judge(example, reply_code=550, status="5.1.1").dead_address, example


def test_the_same_evidence_gets_the_same_verdict() -> None:
    first = judge("550 5.1.1 user unknown", remote_mta="mx.example.com")
    assert judge("550 5.1.1 user unknown", remote_mta="mx.example.com") == first
    assert judge("550 5.1.1 user unknown", remote_mta="mx.example.org") == first


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("550 5.7.1 No such user!", True),
        ("550 5.7.1 <ann@example.com>: Recipient address rejected: user unknown", True),
        ("550 5.7.1 The policy of the user was not found", False),
        ("550 5.7.1 No record of that user with us, mail refused", False),
        ("550 No record of that user with us, mail refused", True),
    ],
)
def test_a_status_about_something_else_is_overruled_by_a_sentence_of_its_own(text: str, dead: bool) -> None:
    reply = parse_reply(text)
    evidence = Evidence(reply_code=reply.reply_code, status=reply.status, diagnostic=text)
    assert classify(evidence, RULES).dead_address is dead


def test_a_status_alone_kills_nobody_when_the_words_speak_of_others() -> None:
    of_others = Evidence(
        reply_code=550, status="5.1.1", diagnostic="550 5.1.1 If the mailbox does not exist, you are told"
    )
    assert not classify(of_others, RULES).dead_address
    assert classify(Evidence(reply_code=550, status="5.1.1", diagnostic="550 5.1.1 zork"), RULES).dead_address
