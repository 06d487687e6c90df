"""How patterns are compiled: RE2, whose time is linear in the text."""

from typing import Any

import re2

from returpost.bounces.rules.model import Placed
from returpost.errors import InvalidSettings

MEMORY = 112 << 20
"""What an automaton may take, in bytes. It is built as texts are seen; when it is full, anew."""
FEWER = 4
"""Into how much of it those for fewer texts must fit: not all ASCII, or such that few rules are left to ask."""


def options() -> Any:
    """Return how patterns are compiled."""
    chosen = re2.Options()
    chosen.never_capture = True
    chosen.max_mem = MEMORY
    chosen.log_errors = False
    return chosen


def compiled(placed: Placed, pattern: str) -> Any:
    """Return the pattern of a rule. Raises `InvalidSettings`: file, rule, pattern and fault."""
    try:
        return re2.compile(pattern, options())
    except re2.error as error:
        where = f"{placed.file}: rule {placed.rule.name}"
        said = error.args[0] if error.args else ""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise InvalidSettings(f"{where}: pattern {pattern!r}: {words}") from None
