"""How the tables of the tests say what a payload comes to."""

import json
from typing import Any

from returpost.bounces.providers import PROVIDERS, Ignored, NormalizedResult, Unreadable, read

ANN = "ann@example.com"
BOB = "bob@example.com"
TIME = "2026-03-01T10:00:00+00:00"
EPOCH = 1_772_359_200
"""The same moment."""


def items(provider: str, payload: Any) -> list[NormalizedResult | Ignored | Unreadable]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(read(PROVIDERS[provider], body))


def outcomes(provider: str, payload: Any) -> list[tuple[str, ...]]:
    """Return what was found: `(result, address, mailing, diagnostic)`, `(ignored, kind)`, `(unknown | broken,)`."""
    rows: list[tuple[str, ...]] = []
    for item in items(provider, payload):
        if isinstance(item, Ignored):
            rows.append(("ignored", item.kind))
        elif isinstance(item, Unreadable):
            rows.append((item.outcome,))
        else:
            assert item.result.time.isoformat() == TIME
            result = item.result
            rows.append((item.kind or result.result, result.address, result.mailing, result.diagnostic))
    return rows
