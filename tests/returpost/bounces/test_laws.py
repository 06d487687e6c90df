"""Laws over replies, on a part of them: what means nothing changes no verdict (`bench.accuracy.laws` tries all)."""

import functools

import pytest

from bench.accuracy.frames import ADDRESS, LINES, MAILS, wrapped
from bench.accuracy.laws import AT_LEAST_FRAME, AT_LEAST_LAW, LAWS, Held, laws, replies
from returpost.bounces.rules import Rules, load
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence, RecipientSource

RULES: Rules = load()


@functools.cache
def held() -> dict[str, Held]:
    return laws(RULES, every=25)


@pytest.mark.parametrize("law", LAWS)
def test_changes_that_mean_nothing_keep_the_verdict(law: str) -> None:
    found = held()[law]
    assert found.tried > 5
    assert found.share >= AT_LEAST_LAW, "\n".join(found.misses)


@pytest.mark.parametrize("frame", [*LINES, *MAILS])
def test_frames_keep_the_verdict(frame: str) -> None:
    found = held()[f"frame_{frame}"]
    assert found.tried > 100
    assert found.share >= AT_LEAST_FRAME, "\n".join(found.misses)


def test_no_address_becomes_dead_by_its_dress() -> None:
    tried, dead = (sum(getattr(found, name) for found in held().values()) for name in ("tried", "false_dead"))
    assert dead <= tried / 2_000


def test_laws_are_tried_on_thousands_of_replies() -> None:
    assert len(replies(RULES)) > 3_000
    assert wrapped("no code") is None


@pytest.mark.parametrize("source", list(RecipientSource))
def test_a_guessed_recipient_is_never_dead_and_the_verdict_says_so(source: RecipientSource) -> None:
    evidence = Evidence(
        diagnostic="550 5.1.1 User unknown", reply_code=550, status="5.1.1", format="rfc3464", recipient_source=source
    )
    verdict = classify(evidence, RULES)
    assert verdict.reason == "user_unknown"
    assert verdict.dead_address is not source.guessed
    assert verdict.recipient_guessed is source.guessed


def test_an_address_in_a_frame_is_no_word() -> None:
    assert ADDRESS not in RULES.normalize(Evidence(diagnostic=f"550 <{ADDRESS}>: User unknown")).text
