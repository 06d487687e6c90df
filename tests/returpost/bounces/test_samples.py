"""Every sample mail is judged as it is meant, read from the file to the verdict."""

from pathlib import Path

import pytest

from deploy.demo.samples import Expectation, expectations, paths
from returpost.bounces import parse
from returpost.bounces.rules import load
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence, Verdict

RULES = load()
SAMPLES = {path.name: path for path in paths()}
TWOFOLD = {
    "yahoo-deferred-expired.eml": ("rate_limited", "bad_reputation"),
    "postfix-three-recipients.eml": ("network_error", "expired"),
}
"""Texts that name two reasons ("unexpected volume or user complaints"; a time-out until the queue gave up)."""


def evidence_for(path: Path, recipient: str) -> Evidence:
    (report,) = [report for report in parse(path.read_bytes()).reports if report.recipient == recipient]
    return report.evidence


def verdict_on(expectation: Expectation) -> Verdict:
    return classify(evidence_for(SAMPLES[expectation.file], expectation.recipient), RULES)


@pytest.mark.parametrize("expectation", expectations(), ids=lambda e: f"{e.file}-{e.recipient}")
def test_samples_are_judged_as_meant(expectation: Expectation) -> None:
    verdict = verdict_on(expectation)
    assert (verdict.type, verdict.dead_address) == (expectation.type, bool(expectation.dead_address))
    assert verdict.reason in {expectation.reason, *TWOFOLD.get(expectation.file, ())}


def test_a_failure_is_judged_by_more_than_a_code() -> None:
    failures = [expectation for expectation in expectations() if expectation.kind == "failure"]
    by_text = [one for one in failures if not verdict_on(one).rule.startswith("tables.")]
    assert len(by_text) >= 0.85 * len(failures)
