"""The demo holds every figure against what is expected: one that is off by one does not add up."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from deploy.demo.demo import RETRY_DELAYS, Demo, Figures
from deploy.demo.simulation import dead_or_complained, expected
from returpost.cli.http.api import Api


@pytest.fixture
def demo() -> Demo:
    return Demo(Api({}, ""), "amqp://nowhere", 1_000, [], Counter(), lambda *_: None)


@pytest.fixture
def right(demo: Demo) -> Figures:
    """Figures as they should be."""
    wanted = expected(demo.mailing, len(RETRY_DELAYS))
    verdicts = Counter({(type_.value, reason.value): count for (type_, reason), count in wanted.verdicts.items()})
    return Figures(
        verdicts=verdicts,
        all_verdicts=verdicts.copy(),
        retries={"recovered": wanted.recovered, "exhausted": wanted.exhausted},
        recipients=dict(wanted.statuses),
        blocked_addresses=frozenset(dead_or_complained(demo.mailing)),
    )


def wrong(demo: Demo, figures: Figures) -> list[str]:
    return [finding.what for finding in demo.findings(figures) if finding.expected != finding.found]


def more(figures: Figures, type_: str, reason: str, number: int) -> dict[str, Any]:
    """Some verdicts more or less, both of the mailing and in all."""
    changed = {"verdicts": figures.verdicts.copy(), "all_verdicts": figures.all_verdicts.copy()}
    for verdicts in changed.values():
        verdicts[type_, reason] += number
    return changed


def test_the_right_figures_add_up(demo: Demo, right: Figures) -> None:
    assert wrong(demo, right) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: more(f, "hard", "user_unknown", 1), "hard user_unknown"),
        (lambda f: more(f, "none", "auto_reply", 1), "none auto_reply"),
        (lambda f: more(f, "soft", "greylisted", -1), "soft greylisted"),
        (lambda f: {"all_verdicts": f.all_verdicts + Counter({("hard", "moved"): 1})}, "verdicts on bounce mails"),
        (lambda f: {"retries": f.retries | {"recovered": f.retries["recovered"] - 1}}, "retries recovered"),
        (lambda f: {"retries": f.retries | {"exhausted": 0}}, "retries exhausted"),
        (lambda f: {"retries": f.retries | {"waiting": 1}}, "retries pending"),
        (lambda f: {"retries": f.retries | {"requested": 1}}, "retries pending"),
        (lambda f: {"recipients": f.recipients | {"delivered": 1}}, "recipients delivered"),
        (lambda f: {"recipients": f.recipients | {"sent": 1}}, "recipients sent"),
        (lambda f: {"blocked_addresses": frozenset(list(f.blocked_addresses)[1:])}, "addresses blocked"),
        (lambda f: {"blocked_addresses": f.blocked_addresses | {"x@example.com"}}, "addresses blocked wrongly"),
        (lambda _: {"dead_letters": 1}, "dead letters"),
    ],
)
def test_a_figure_that_is_off_is_found(demo: Demo, right: Figures, change: Any, what: str) -> None:
    assert wrong(demo, replace(right, **change(right))) == [what]
