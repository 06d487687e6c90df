"""What is doubtful in rule files though they can be used."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from itertools import pairwise

from returpost.bounces.rules.loading import evidence_of
from returpost.bounces.rules.matching import Rules
from returpost.bounces.rules.model import Placed


def warnings(rules: Rules, files: Collection[str]) -> Iterator[str]:
    """Yield what is doubtful in these files, each with file and rule."""
    for placed in rules:
        if placed.file in files:
            yield from _of_rule(placed)
    yield from _repeated(rules, files)
    yield from _ambiguous(rules, files)


def _of_rule(placed: Placed) -> Iterator[str]:
    rule = placed.rule
    where = f"{placed.file}: rule {rule.name}"
    for what, given in (
        ("example", rule.examples),
        ("counter-example", rule.counter_examples),
        ("source", rule.source),
    ):
        if not given:
            yield f"{where}: has no {what}"
    for pattern in (*rule.patterns, *rule.also, *rule.unless):
        if pattern != pattern.lower() and not any(f"\\{letter}" in pattern for letter in "SWDB"):
            yield f"{where}: pattern {pattern!r} has capital letters; texts are looked at in small letters"
        if pattern.startswith(".*") or pattern.endswith(".*"):
            yield f"{where}: pattern {pattern!r} begins or ends with .*, which says nothing"


def _repeated(rules: Rules, files: Collection[str]) -> Iterator[str]:
    places: dict[str, list[Placed]] = defaultdict(list)
    for placed in rules:
        for pattern in placed.rule.patterns:
            places[pattern].append(placed)
    for pattern, found in places.items():
        for one, other in pairwise(found):
            if {one.file, other.file} & set(files) and not _narrowed(one):
                where = f"{other.file}: rule {other.rule.name}"
                yield f"{where}: {one.name}, which goes before, has the pattern {pattern!r}"


def _narrowed(placed: Placed) -> bool:
    rule = placed.rule
    return bool(rule.conditions or rule.unless or rule.unless_status or rule.unless_command)


def _ambiguous(rules: Rules, files: Collection[str]) -> Iterator[str]:
    """Yield rules of the same precedence that give an example different reasons: which decides is then by chance."""
    by_name = {placed.name: placed for placed in rules}
    for placed in rules:
        if placed.file not in files:
            continue
        for example in placed.rule.examples:
            reply = rules.normalize(evidence_of(example, report=bool(placed.rule.report)))
            held = [by_name[match.name] for match in rules.matching_rules(reply)]
            for other in held[1:]:
                same = (other.precedence, other.rule.conditions) == (held[0].precedence, held[0].rule.conditions)
                if same and other.rule.reason is not held[0].rule.reason:
                    yield (
                        f"{placed.file}: rule {placed.rule.name}: of its example {example!r}, {held[0].name} and "
                        f"{other.name} with the same precedence make different reasons"
                    )
