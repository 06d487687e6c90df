"""How the tables of the tests say what a payload comes to."""

import json
from typing import Any

from returpost.bounces.providers import Ignored, NormalizedResult, Unreadable, normalize
from returpost.bounces.providers.normalized_result import NOT_SENT

ANN = "ann@example.com"
BOB = "bob@example.com"
TIME = "2026-03-01T10:00:00+00:00"
EPOCH = 1_772_359_200
"""The same moment."""


def items(provider: str, payload: Any) -> list[NormalizedResult | Ignored | Unreadable]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(normalize(provider, body))


def outcomes(provider: str, payload: Any) -> list[tuple[str, ...]]:
    """Return what was found: `(result, address, mailing, text and codes)`, `(ignored, kind)`, `(unknown | broken,)`."""
    rows: list[tuple[str, ...]] = []
    for item in items(provider, payload):
        if isinstance(item, Ignored):
            rows.append(("ignored", item.kind))
        elif isinstance(item, Unreadable):
            rows.append((item.outcome,))
        else:
            assert item.result.time.isoformat() == TIME
            result = item.result
            rows.append((item.kind or result.result, result.address, result.mailing, shown(item)))
    return rows


def shown(item: NormalizedResult) -> str:
    """Return text and codes as the tables write them: `(not sent): no sender [sendgrid: dropped]`."""
    text = f"(not sent): {item.result.diagnostic}" if NOT_SENT in item.codes else item.result.diagnostic
    codes = "/".join(code for code in item.codes if code != NOT_SENT)
    parts = ("(suppressed)" if item.suppressed else "", text, f"[{item.provider}: {codes}]" if codes else "")
    return " ".join(filter(None, parts))
