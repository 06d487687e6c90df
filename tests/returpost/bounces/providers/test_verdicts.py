"""What sending services post, from the body of the request to the verdict: one event a line, and what it means.

The rules look for what the readers of webhooks write after the text, so that both must say the same words.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from returpost.bounces.events.payloads import events_of_normalized
from returpost.bounces.providers import Ignored, Unreadable, normalize
from returpost.bounces.rules import load
from returpost.bounces.verdict import classify
from returpost.contracts import BounceReceived, Verdict

EVENTS = [json.loads(line) for line in Path(__file__).with_name("webhooks.jsonl").read_text("utf-8").splitlines()]


def verdicts(provider: str, event: dict[str, Any]) -> Iterator[Verdict]:
    body = json.dumps(event)
    if provider == "mandrill":
        body = urlencode({"mandrill_events": f"[{body}]"})
    for item in normalize(provider, body.encode()):
        assert not isinstance(item, Ignored | Unreadable), item
        for told in events_of_normalized(item, tenant="demo", sender=None):
            if isinstance(told.data, BounceReceived):
                yield classify(told.data.evidence, load())


@pytest.mark.parametrize("provider", sorted({event["provider"] for event in EVENTS}))
def test_events_are_judged_as_meant(provider: str) -> None:
    for told in EVENTS:
        if told["provider"] == provider:
            (verdict,) = verdicts(provider, told["event"])
            assert verdict.reason in told["reason"].split("|"), told
