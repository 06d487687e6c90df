"""Mutation of the rules: which of them could go, and nothing would be judged otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from returpost.bounces.rules.loading import evidence_of
from returpost.bounces.rules.matching import Match, Rules
from returpost.bounces.rules.text_normalization import NormalizedReply
from returpost.bounces.verdict import BY_OPINION, reason_of
from returpost.contracts import Evidence, Kind


def redundant(rules: Rules, past: Iterable[Evidence]) -> list[str]:
    """Return the names of rules without which every case keeps its reason and stays dead or alive.

    Cases are the past bounces and all examples of the rules. Only what a rule decides can change by its removal: then
    the next rule that matches decides, or a code.
    """
    changes: dict[str, bool] = defaultdict(bool)
    for reply in _cases(rules, past):
        matches = iter(rules.matching_rules(reply))
        first = next(matches, None)
        if first is None or changes[first.name]:
            continue
        changes[first.name] = _meaning(rules, reply, first) != _meaning(rules, reply, next(matches, None))
    return sorted(placed.name for placed in rules if not changes[placed.name])


def _cases(rules: Rules, past: Iterable[Evidence]) -> Iterator[NormalizedReply]:
    for evidence in past:
        if evidence.kind is Kind.FAILURE:
            yield rules.normalize(evidence)
    for placed in rules:
        for example in (*placed.rule.examples, *placed.rule.counter_examples):
            yield rules.normalize(evidence_of(example, report=bool(placed.rule.report)))


def _meaning(rules: Rules, reply: NormalizedReply, match: Match | None) -> tuple[object, ...]:
    reason, _, rule, _, forced = reason_of(reply, rules, match)
    # What the second opinion says was learnt from what rules say: it is no reason to do without one.
    return (rule,) if rule == BY_OPINION else (reason, forced)
