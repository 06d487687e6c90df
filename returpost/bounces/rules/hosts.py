"""Which providers and MTAs a reply names: in the names of its MTAs, or in its text."""

from collections.abc import Sequence
from typing import Any

from returpost.bounces.rules.model import Placed, Tables
from returpost.bounces.rules.patterns import compiled
from returpost.bounces.rules.text_normalization import NormalizedReply
from returpost.errors import InvalidSettings

MAX_NAMES = 20_000
"""Names of MTAs whose patterns are kept."""


class Hosts:
    """The patterns for hosts that rules ask for, each once."""

    def __init__(self, rules: Sequence[Placed], tables: Tables) -> None:
        """Compile all. Raises `InvalidSettings`: file, rule and fault."""
        numbers: dict[str, int] = {}
        self._patterns: list[Any] = []
        self._wanted: list[tuple[int, ...]] = []
        self._known: dict[str, tuple[int, ...]] = {}
        for placed in rules:
            wanted = _wanted_by(placed, tables)
            for pattern in wanted:
                if pattern not in numbers:
                    numbers[pattern] = len(numbers)
                    self._patterns.append(compiled(placed, pattern))
            self._wanted.append(tuple(numbers[pattern] for pattern in wanted))

    def named(self, remote_mta: str | None, reporting_mta: str | None) -> tuple[int, ...]:
        """Return the numbers of the patterns that are in the names."""
        if not (remote_mta or reporting_mta):
            return ()
        names = f"{remote_mta or ''} {reporting_mta or ''}".lower()
        if (known := self._known.get(names)) is None:
            if len(self._known) >= MAX_NAMES:
                self._known.clear()
            found = (number for number, pattern in enumerate(self._patterns) if pattern.search(names))
            known = self._known[names] = tuple(found)
        return known

    def hold(self, rule: int, reply: NormalizedReply) -> bool:
        """Tell whether all that the rule asks for is named."""
        return all(number in reply.hosts or self._patterns[number].search(reply.text) for number in self._wanted[rule])


def _wanted_by(placed: Placed, tables: Tables) -> list[str]:
    rule = placed.rule
    if rule.provider is not None and rule.provider not in tables.providers:
        raise InvalidSettings(f"{placed.file}: rule {rule.name}: tables.toml has no provider {rule.provider!r}")
    return [pattern for pattern in (rule.provider and tables.providers[rule.provider], rule.mta) if pattern]
