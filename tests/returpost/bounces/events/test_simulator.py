"""Simulator addresses: what is sent to them is answered, and judged as the page about them says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from returpost.bounces.events.results import events_of, of_input
from returpost.bounces.events.simulator import DOMAIN, NAMES, answers
from returpost.bounces.rules import load
from returpost.bounces.verdict import classify
from returpost.contracts import DeliveryRecorded, DeliveryResult, Result

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RULES = load()
DOCUMENT = Path(__file__).parents[4] / "docs/how-to/sender/simulator.md"


def sent(name: str, **changes: Any) -> DeliveryResult:
    data = {"mailing": "try-1", "address": f"{name}@{DOMAIN}", "result": "sent", "time": MOMENT, "sender": "news"}
    return DeliveryResult.model_validate(data | changes)


def followers(result: DeliveryResult) -> list[Any]:
    return [event.data for event in events_of(of_input(result, tenant="acme", id_=None, source="/s"))]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ok", ["delivered"]),
        ("opened", ["delivered", "opened"]),
        ("hard", ["bounced", "user_unknown", "dead"]),
        ("hard+17", ["bounced", "user_unknown", "dead"]),
        ("HARD", ["bounced", "user_unknown", "dead"]),
        ("nobody", ["bounced", "user_unknown", "dead"]),
        ("domain-unknown", ["bounced", "domain_unknown", "dead"]),
        ("disabled", ["bounced", "account_disabled", "hard"]),
        ("mailbox-full", ["bounced", "mailbox_full", "soft"]),
        ("greylisted", ["bounced", "greylisted", "soft"]),
        ("soft", ["bounced", "system_error", "soft"]),
        ("soft-then-ok", ["bounced", "system_error", "soft"]),
        ("too-large", ["bounced", "message_too_large", "hard"]),
        ("spam", ["bounced", "spam_content", "hard"]),
        ("ip-blocked", ["bounced", "ip_blocked", "hard"]),
        ("auth-failed", ["bounced", "auth_failed", "hard"]),
        ("complaint", ["delivered", "complained"]),
        ("unsubscribe", ["delivered", "unsubscribed"]),
        ("ooto", ["delivered", "auto_reply", "none"]),
    ],
)
def test_each_name_is_answered_as_it_says(name: str, said: list[str]) -> None:
    seen: list[str] = []
    first, *rest = followers(sent(name))
    assert first.result is Result.SENT
    for data in rest:
        if isinstance(data, DeliveryRecorded):
            seen.append(data.result)
            assert data.time > MOMENT
        else:
            verdict = classify(data.evidence, RULES)
            seen += [verdict.reason, "dead" if verdict.dead_address else verdict.type]
    assert seen == said


def test_soft_then_ok_heals_when_it_is_tried_again() -> None:
    assert [data.result for data in followers(sent("soft-then-ok", attempt=2))] == [Result.SENT, Result.DELIVERED]


@pytest.mark.parametrize(
    "result",
    [sent("hard", result="delivered"), sent("hard", result="bounced"), sent("x", address="hard@simulator.example")],
)
def test_nothing_else_is_answered(result: DeliveryResult) -> None:
    assert list(answers(result)) == []


def test_the_same_sending_is_answered_by_the_same_events() -> None:
    cause = of_input(sent("complaint"), tenant="acme", id_=None, source="/s")
    ids = [event.id for event in events_of(cause)]
    assert ids == [event.id for event in events_of(cause)]
    assert len(set(ids)) == 3


def test_the_page_tells_of_every_name() -> None:
    page = DOCUMENT.read_text()
    assert [name for name in NAMES if f"`{name}@`" not in page] == []
