"""Rules that ask for what a provider itself says of a failure, in codes of its own, beside the words of the reply."""

import re
from collections.abc import Sequence
from typing import Any

from returpost.bounces.rules.model import Placed
from returpost.bounces.rules.patterns import compiled

MAX_KNOWN = 20_000
"""Different codes of which it is kept which rules ask for them."""
_NOTATION = re.compile(r"(?:^|(?<=\s))\[([a-z0-9][a-z0-9-]{1,40}): ([^\]\[]+)\]\s*\Z")


def joined(provider: str | None, codes: Sequence[str]) -> str:
    """Return the codes as rules look at them: `sendgrid: bounce/blocked/mailbox_unavailable`; nothing without codes."""
    if not provider or not codes:
        return ""
    return f"{provider}: {'_'.join('/'.join(codes).lower().split())}"


def from_notation(text: str) -> tuple[str, str | None, tuple[str, ...]]:
    """Return text, provider and codes of `550 no [sendgrid: bounce/blocked]`: the notation of examples and samples."""
    if (found := _NOTATION.search(text)) is None:
        return text, None, ()
    return text[: found.start()].rstrip(), found[1], tuple(found[2].split("/"))


class ProviderCodes:
    """The rules that ask for codes, or for a failure that only repeats an earlier one."""

    def __init__(self, rules: Sequence[Placed]) -> None:
        """Compile all. Raises `InvalidSettings`: file, rule and fault."""
        self._suppressed = 0
        self._patterns: list[tuple[int, Any]] = []
        self._known: dict[str, int] = {}
        for index, placed in enumerate(rules):
            self._suppressed |= bool(placed.rule.suppressed) << index
            self._patterns += [(1 << index, compiled(placed, pattern)) for pattern in placed.rule.provider_codes]

    def matching(self, codes: str, *, suppressed: bool) -> int:
        """Return the rules, a bit each, of which this is what they ask for."""
        found = self._suppressed if suppressed else 0
        if not codes:
            return found
        if (known := self._known.get(codes)) is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = 0
            for bit, pattern in self._patterns:
                known |= bit if pattern.search(codes) else 0
            self._known[codes] = known
        return found | known
