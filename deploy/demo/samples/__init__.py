"""Mails as reporting systems send them, written for the project, and what each of them means.

They serve the demonstration, the tests and whoever wants to see what a format looks like. All hosts and addresses
are in domains that nobody can own (RFC 2606, RFC 6761).
"""

import json
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one mail says of one recipient, by judgement. `dead_address` is None when it is no bounce; `status` is the
    enhanced status, None when the mail has none.
    """

    file: str
    recipient: str
    original_recipient: str | None
    kind: str
    type: str
    reason: str
    dead_address: bool | None
    status: str | None


def paths() -> list[Path]:
    """Return the sample mails, sorted by name."""
    return sorted(_HERE.glob("*.eml"))


def expectations() -> list[Expectation]:
    """Return what is expected, one for each mail and recipient."""
    lines = (_HERE / "expectations.jsonl").read_text(encoding="utf-8").splitlines()
    return [Expectation(**json.loads(line)) for line in lines]
