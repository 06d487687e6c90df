"""The second opinion: on words that no rule knows alone, with the words that told, and never against an address."""

import pytest

from bench.accuracy.second_opinion import FOLDS, learn, texts
from returpost.bounces import classify
from returpost.bounces.rules import load, opinion
from returpost.bounces.verdict import BY_CODE, BY_NOTHING, BY_OPINION, verdict_of
from returpost.contracts import Evidence
from returpost.contracts.enums import Reason

RULES = load()
STRANGE = "550 {} zzyzx qwrtl"
"""Words that nobody knows beside some that many replies have."""


def test_words_of_no_rule_get_a_reason_by_words_and_kill_nobody() -> None:
    told = [
        verdict for words in opinion.learnt().weights if (verdict := classify(STRANGE.format(words))).rule == BY_OPINION
    ]
    assert len(told) > 100
    assert len({verdict.reason for verdict in told}) > 10
    for verdict in told:
        assert not verdict.dead_address
        assert verdict.text
        assert verdict.confidence < opinion.TRUSTED + 0.01


@pytest.mark.parametrize(
    "text", ["550 zzyzx qwrtl", "zzyzx", "550 5.0.0", "550", "", "550 https://example.org/quota/user"]
)
def test_nothing_is_thought_of_words_that_nobody_knows(text: str) -> None:
    assert classify(text).rule in (BY_CODE, BY_NOTHING)


def test_of_a_bounce_mail_without_a_code_nothing_is_thought() -> None:
    for words in list(opinion.learnt().weights)[::50]:
        reply = RULES.normalize(Evidence(diagnostic=f"{words} zzyzx", format="prose"))
        assert opinion.opinion_on(reply) is None


def test_rules_and_statuses_go_before() -> None:
    assert classify("550 5.1.1 zzyzx spam zzyzx unknown qwrtl").rule != BY_OPINION
    assert classify("550 No such user here").reason is Reason.USER_UNKNOWN


def test_it_is_right_on_families_that_it_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for all texts of a fifth of the families, whether a rule decides them or not."""
    found = list(texts(RULES))
    told = learn([one for one in found if one.family % FOLDS])
    monkeypatch.setattr(opinion, "learnt", lambda: told)
    asked = [(one, opinion.opinion_on(one.reply)) for one in found if one.family >= 0 and not one.family % FOLDS]
    given = [(one, said) for one, said in asked if said]
    assert len(given) > 0.7 * len(asked)
    assert sum(said.reason in one.reasons for one, said in given) > 0.85 * len(given)
    verdict_of.cache_clear()
