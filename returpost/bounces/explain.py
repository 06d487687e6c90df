"""Why a reply is judged as it is: the rule that decided, its words, and the rules that it went before."""

from itertools import islice
from typing import Any

from returpost.bounces.rules import Rules
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence, Kind

MAX_RUNNERS_UP = 5


def explained(evidence: Evidence, rules: Rules) -> dict[str, Any]:
    """Return the verdict with `runners_up`: rule, reason and words of each that held and did not decide."""
    verdict = classify(evidence, rules)
    others: list[dict[str, Any]] = []
    if evidence.kind is Kind.FAILURE:
        matching = rules.matching_rules(rules.normalize(evidence))
        others = [
            {"rule": match.name, "reason": match.rule.reason, "text": match.text, "confidence": match.rule.confidence}
            for match in islice((match for match in matching if match.name != verdict.rule), MAX_RUNNERS_UP)
        ]
    return verdict.model_dump(mode="json") | {"runners_up": others}
