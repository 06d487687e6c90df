"""Learn the second opinion of `returpost.bounces.rules.opinion`, and tell what it is worth on texts left out.

    python -m bench.accuracy.second_opinion [--write]

The texts are the project's own: replies of the tests (a family is a section of a file) and the rules' examples. A
fifth of the families is left out in turn; printed is how often the model is right on those of their texts that no rule
decides, and on those that no rule before `fallback.toml` does. With `--write` it learns from all and writes the file.
"""

import argparse
import json
import random
import sys
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from math import exp, sqrt
from typing import NamedTuple

from bench.accuracy.laws import REPLIES
from returpost.bounces.rules import NormalizedReply, Rules, load, opinion
from returpost.bounces.smtp_reply import parse_reply
from returpost.bounces.verdict import verdict_of
from returpost.contracts import Evidence
from returpost.contracts.enums import Reason

FOLDS, EPOCHS, STEP, SEED = 5, 6, 0.3, 1
SEEN_AT_LEAST = 2
"""Texts that a feature must be in to be learnt."""
SPEAKS_FROM = 5
"""Weights nearer to nothing are left out of the file."""


class Text(NamedTuple):
    """A reply as rules see it, what it may mean, and the family it belongs to."""

    reply: NormalizedReply
    reasons: tuple[str, ...]
    family: int


def texts(rules: Rules) -> Iterator[Text]:
    """Yield the replies of the tests; a comment begins a family. The rules' examples are of none (-1)."""
    family = 0
    for path in sorted(REPLIES.glob("*.tsv")):
        family += 1
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                family += 1
            elif line:
                reasons, reply = line.split("\t")
                yield Text(seen(reply, rules), tuple(reasons.split("|")), family)
    for placed in rules:
        for example in placed.rule.examples:
            yield Text(seen(example, rules), (str(placed.rule.reason),), -1)


def seen(reply: str, rules: Rules) -> NormalizedReply:
    """Return the reply as rules see it."""
    parsed = parse_reply(reply)
    return rules.normalize(Evidence(reply_code=parsed.reply_code, status=parsed.status, diagnostic=reply))


def learn(known: Sequence[Text]) -> opinion.Learnt:
    """Return weights by logistic regression, each step smaller where much was learnt before (AdaGrad)."""
    reasons = sorted({reason for text in known for reason in text.reasons})
    number = {reason: at for at, reason in enumerate(reasons)}
    found = [sorted({sys.intern(feature) for feature in opinion.features(text.reply)}) for text in known]
    often = Counter(feature for features in found for feature in features)
    weights = {feature: array("d", [0.0] * len(reasons)) for feature, count in often.items() if count >= SEEN_AT_LEAST}
    squares = {feature: array("d", [1e-2] * len(reasons)) for feature in weights}
    examples = [
        ([feature for feature in features if feature in weights], [number[reason] for reason in text.reasons])
        for features, text in zip(found, known, strict=True)
    ]
    order = random.Random(SEED)
    for _ in range(EPOCHS):
        order.shuffle(examples)
        for features, right in examples:
            for reason, wrong in _errors([weights[feature] for feature in features], right):
                for feature in features:
                    squares[feature][reason] += wrong * wrong
                    weights[feature][reason] -= STEP * wrong / sqrt(squares[feature][reason])
    return opinion.Learnt(tuple(map(Reason, reasons)), {name: _whole(row) for name, row in weights.items()})


def _errors(rows: Sequence[Sequence[float]], right: Sequence[int]) -> list[tuple[int, float]]:
    scores = [sum(column) for column in zip(*rows, strict=True)]
    highest = max(scores)
    likely = [exp(score - highest) for score in scores]
    total = sum(likely)
    of_right = sum(likely[reason] for reason in right)
    wanted = {reason: likely[reason] / of_right for reason in right}
    errors = ((reason, share / total - wanted.get(reason, 0.0)) for reason, share in enumerate(likely))
    return [(reason, error) for reason, error in errors if abs(error) > 0.01]


def _whole(row: Sequence[float]) -> list[tuple[int, int]]:
    numbers = ((reason, round(weight * opinion.SCALE)) for reason, weight in enumerate(row))
    return [(reason, weight) for reason, weight in numbers if abs(weight) >= SPEAKS_FROM]


def write(told: opinion.Learnt) -> None:
    """Write the file that comes with the program, a feature a line."""
    lines = (
        f"{json.dumps(feature, ensure_ascii=False)}:[{','.join(f'{reason},{weight}' for reason, weight in pairs)}]"
        for feature, pairs in sorted(told.weights.items())
        if pairs
    )
    reasons = json.dumps([str(reason) for reason in told.reasons])
    features = ",\n".join(lines)
    opinion.LEARNT.write_text(f'{{"reasons":{reasons},"weights":{{\n{features}\n}}}}\n', encoding="utf-8")


def main() -> None:
    """Leave out a fifth of the families in turn, and print the shares; or write what all teach."""
    parser = argparse.ArgumentParser(description="What the second opinion is worth")
    parser.add_argument("--write", action="store_true", help="learn from all texts and write the file")
    rules = load()
    found = list(texts(rules))
    if parser.parse_args().write:
        write(learn(found))
        return
    without = Rules([placed for placed in rules if placed.file != "fallback"], rules.tables)
    counted: Counter[str] = Counter()
    packaged = opinion.learnt
    for fold in range(FOLDS):
        told = learn([one for one in found if one.family % FOLDS != fold])
        opinion.learnt = lambda told=told: told  # type: ignore[assignment]
        for one in found:
            if one.family < 0 or one.family % FOLDS != fold:
                continue
            given = opinion.opinion_on(one.reply)
            for name, judging in (("no rule", rules), ("no rule before the fallback", without)):
                if judging.decide(one.reply) is None and not (one.reply.status and rules.by_status(one.reply.status)):
                    counted[name] += 1
                    counted[f"{name}, given"] += given is not None
                    counted[f"{name}, right"] += given is not None and given.reason in one.reasons
    opinion.learnt = packaged
    verdict_of.cache_clear()
    for name in ("no rule", "no rule before the fallback"):
        all_, given_, right = (counted[f"{name}{what}"] for what in ("", ", given", ", right"))
        sys.stdout.write(
            f"decided by {name}: {all_} texts; an opinion on {given_}, {right / max(1, given_):.1%} right\n"
        )


if __name__ == "__main__":
    main()
