"""Would a small model over character n-grams help where no rule knows the text? Measured on families left out whole.

    python -m bench.accuracy.second_opinion

The texts are the project's own: replies of the tests (a family is a section of a file) and the rules' examples. A
linear model over n-grams of three to five characters is trained on four fifths of the families and asked for those
texts of the others that no rule before `fallback.toml` decides. Beside it: what the fallback rules say of them, and
what a code or a status alone says.
"""

import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from bench.accuracy.laws import REPLIES
from returpost.bounces.rules import Rules, load
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import classify
from returpost.contracts import Evidence

FOLDS, EPOCHS, SURE = 5, 4, 0.2
"""`SURE`: by how much a gram the first reason must lead, for an opinion to be given at all."""


class Text(NamedTuple):
    """A reply, what it may mean, and the family it belongs to."""

    reply: str
    reasons: tuple[str, ...]
    family: int


def texts() -> Iterator[Text]:
    """Yield the replies of the tests; a comment begins a family."""
    family = 0
    for path in sorted(REPLIES.glob("*.tsv")):
        family += 1
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                family += 1
            elif line:
                reasons, reply = line.split("\t")
                yield Text(reply, tuple(reasons.split("|")), family)


def grams(text: str) -> set[str]:
    """Return the n-grams of a normalised text."""
    padded = f" {text} "
    return {padded[at : at + size] for size in (3, 4, 5) for at in range(len(padded) - size + 1)}


class Model:
    """An averaged perceptron: how much each n-gram speaks for each reason."""

    def __init__(self, known: Sequence[tuple[str, str]]) -> None:
        """Learn from (text, reason) pairs."""
        order = random.Random(3)
        weights: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        drift: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self.weights = weights
        step = 0
        prepared = [(sorted(grams(text)), reason) for text, reason in known]
        for _ in range(EPOCHS):
            order.shuffle(prepared)
            for found, reason in prepared:
                step += 1
                guess = self._best(found)[0]
                if guess == reason:
                    continue
                for gram in found:
                    weights[gram][reason] += 1
                    drift[gram][reason] += step
                    weights[gram][guess] -= 1
                    drift[gram][guess] -= step
        for gram, by_reason in weights.items():
            for reason in by_reason:
                by_reason[reason] -= drift[gram][reason] / max(1, step)

    def opinion(self, text: str) -> tuple[str, float]:
        """Return the likeliest reason and its lead over the next, by n-gram."""
        found = sorted(grams(text))
        reason, lead = self._best(found)
        return reason, lead / max(1, len(found))

    def _best(self, found: Sequence[str]) -> tuple[str, float]:
        scores: dict[str, float] = defaultdict(float)
        for gram in found:
            if gram in self.weights:
                for reason, weight in self.weights[gram].items():
                    scores[reason] += weight
        ranked = sorted(scores.items(), key=lambda item: -item[1])[:2] or [("undetermined", 0.0)]
        return ranked[0][0], ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0.0)


def seen(reply: str, rules: Rules) -> str:
    """Return the text as rules see it."""
    return rules.normalize(Evidence(diagnostic=reply)).text


def judge(reply: str, rules: Rules) -> tuple[str, str]:
    """Return the rule that decides a line, and the reason."""
    parsed = parse_reply(reply)
    verdict = classify(Evidence(reply_code=parsed.reply_code, status=parsed.status, diagnostic=reply), rules)
    return verdict.rule, str(verdict.reason)


def main() -> None:
    """Leave out a tenth of the families in turn, and print the shares."""
    everything = load()
    without = Rules([placed for placed in everything if placed.file != "fallback"], everything.tables)
    examples = [(seen(text, everything), str(p.rule.reason)) for p in without for text in p.rule.examples]
    found = list(texts())
    right: Counter[str] = Counter()
    asked = given = left = left_right = 0
    for fold in range(FOLDS):
        known = [(seen(one.reply, everything), one.reasons[0]) for one in found if one.family % FOLDS != fold]
        model = Model([*examples, *known])
        for one in found:
            if one.family % FOLDS != fold:
                continue
            opinion, lead = model.opinion(seen(one.reply, everything))
            right["model, all texts left out"] += opinion in one.reasons
            rule, by_code = judge(one.reply, without)
            if not rule.startswith("tables."):
                continue
            asked += 1
            fallback_rule, fallback = judge(one.reply, everything)
            right["code or status alone"] += by_code in one.reasons
            right["fallback rules"] += fallback in one.reasons
            right["model"] += opinion in one.reasons
            if lead >= SURE:
                given += 1
                right["model where it is sure"] += opinion in one.reasons
            if fallback_rule.startswith("tables."):
                left += 1
                left_right += opinion in one.reasons
                right["code or status, where no rule is left"] += fallback in one.reasons
    sys.stdout.write(f"{asked} of {len(found)} texts that no rule before the fallback decides\n")
    for name in ("code or status alone", "fallback rules", "model"):
        sys.stdout.write(f"{name:40} {right[name] / asked:6.1%}\n")
    sys.stdout.write(
        f"{'model where it is sure':40} {right['model where it is sure'] / max(1, given):6.1%} of {given}\n"
    )
    sys.stdout.write(f"{left} texts that no rule decides at all\n")
    name = "code or status, where no rule is left"
    sys.stdout.write(f"{name:40} {right[name] / max(1, left):6.1%}\n")
    sys.stdout.write(f"{'model, where no rule is left':40} {left_right / max(1, left):6.1%}\n")


if __name__ == "__main__":
    main()
