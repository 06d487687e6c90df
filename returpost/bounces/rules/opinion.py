"""A second opinion on words that no rule knows: a linear model over words, learnt from replies that people have judged.

It gives a reason where there would be none, says by which words, and calls no address dead. How it is learnt, and what
it is worth on texts that it has not seen: `python -m bench.accuracy.second_opinion`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import exp
from pathlib import Path
from typing import NamedTuple

from returpost.bounces.rules.text_normalization import NormalizedReply
from returpost.contracts.enums import Reason

LEARNT = Path(__file__).with_name("opinion.json")
SCALE = 32
"""Weights are whole numbers of this part."""
SURE, SURE_IN_A_MAIL = 0.5, 0.75
"""From which probability on an opinion is given: four of five are right then. What a bounce mail quotes leads up to
more than a reply does, and its codes are those of several."""
TRUSTED = 0.7
"""What a probability is worth as a confidence."""
MAX_WORDS = 120
SHOWN = 3
_WORD = re.compile(r"[^\W\d_]+|<@>|\[ip\]")
_STEM = 5
BIAS = ""
"""Stands in every text: how often a reason is given at all."""

Weights = dict[str, list[tuple[int, int]]]
"""How much each feature speaks for which reason."""


class Opinion(NamedTuple):
    """A reason, how sure it is, and the words that speak for it most."""

    reason: Reason
    confidence: float
    words: str


class Learnt(NamedTuple):
    """What was learnt."""

    reasons: tuple[Reason, ...]
    weights: Weights


@lru_cache(maxsize=1)
def learnt() -> Learnt:
    """Return what comes with the program."""
    told = json.loads(LEARNT.read_bytes())
    weights = {feature: list(zip(pairs[::2], pairs[1::2], strict=True)) for feature, pairs in told["weights"].items()}
    return Learnt(tuple(map(Reason, told["reasons"])), weights)


def features(reply: NormalizedReply) -> Iterator[str]:
    """Yield words, pairs of words, beginnings of long words, and the codes; links are left out."""
    yield BIAS
    before = ""
    for piece in reply.text.split()[:MAX_WORDS]:
        if "://" in piece:
            continue
        for word in _WORD.findall(piece):
            yield word
            yield f"{before} {word}"
            if len(word) > _STEM:
                yield f"{word[:_STEM]}*"
            before = word
    if reply.reply_code:
        yield f"={reply.reply_code}"
        yield f"={reply.reply_code // 100}xx"
    if reply.status:
        yield f"={reply.status}"
        yield f"=x{reply.status[1:]}"


def opinion_on(reply: NormalizedReply) -> Opinion | None:
    """Return what the words most likely mean; nothing when none of them is known or they speak for several reasons.

    Of what a bounce mail says without a code nothing is thought: it is as often what leads up to a reason as one.
    """
    if reply.report and reply.reply_code is None:
        return None
    reasons, weights = learnt()
    found = {feature: weights[feature] for feature in features(reply) if feature in weights}
    if not any(feature and feature[0] != "=" for feature in found):
        return None
    scores = [0] * len(reasons)
    for pairs in found.values():
        for reason, weight in pairs:
            scores[reason] += weight
    best = max(range(len(scores)), key=scores.__getitem__)
    likely = 1 / sum(exp((score - scores[best]) / SCALE) for score in scores)
    if likely < (SURE_IN_A_MAIL if reply.report else SURE) or reasons[best] is Reason.UNDETERMINED:
        return None
    words = _strongest(found, best)
    return Opinion(reasons[best], round(TRUSTED * likely, 2), words) if words else None


def _strongest(found: Weights, best: int) -> str:
    speaking = {feature: dict(pairs).get(best, 0) for feature, pairs in found.items() if feature[:1] not in ("", "=")}
    ranked: Sequence[str] = sorted(speaking, key=lambda feature: (-speaking[feature], feature))
    return ", ".join(feature.strip() for feature in ranked[:SHOWN] if speaking[feature] > 0)
