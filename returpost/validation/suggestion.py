"""What somebody probably meant who wrote gmial.com."""

from collections.abc import Iterable
from functools import lru_cache

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.-"
_ENDINGS = {
    "con": "com", "cpm": "com", "cim": "com", "xom": "com", "vom": "com", "comm": "com", "coom": "com", "ocm": "com",
    "cmo": "com", "om": "com", "ner": "net", "nte": "net", "ney": "net", "nett": "net", "orgg": "org", "ogr": "org",
    "noo": "no", "nno": "no", "bo": "no",
}  # fmt: skip
"""Endings that are slips of a known one. `.co`, `.cm` and `.om` exist, so only together with a known domain: below."""
_REAL_ENDINGS = {"om", "bo"}


class Suggestions:
    """Knows the domains that people have their addresses at."""

    def __init__(self, domains: Iterable[str]) -> None:
        self._known = frozenset(domains)
        self.of = lru_cache(maxsize=65_536)(self._of)
        """Return the domain that was probably meant, or None. Cached: people make the same mistakes."""

    def _of(self, domain: str) -> str | None:
        if domain in self._known or len(domain) > 64:
            return None
        found = [slip for slip in _slips(domain) if slip in self._known]
        if found:
            return min(found)
        name, _, ending = domain.rpartition(".")
        right = _ENDINGS.get(ending)
        if right is None or not name:
            return None
        if f"{name}.{right}" in self._known or ending not in _REAL_ENDINGS:
            return f"{name}.{right}"
        return None


def _slips(domain: str) -> set[str]:
    """Return what is one slip away: a letter too many, too few, a wrong one, or two that changed places.

    (Damerau, 1964: over 80% of all misspellings are one of these four.)
    """
    parts = [(domain[:n], domain[n:]) for n in range(len(domain) + 1)]
    found = {left + right[1:] for left, right in parts if right}
    found |= {left + right[1] + right[0] + right[2:] for left, right in parts if len(right) > 1}
    found |= {left + letter + right[1:] for left, right in parts if right for letter in _LETTERS}
    return found | {left + letter + right for left, right in parts for letter in _LETTERS}
