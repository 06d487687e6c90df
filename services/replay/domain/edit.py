"""Editing a dead letter: another event, with an id of its own, that is checked against its contract and shown as a
difference."""

import difflib
import hashlib
import json
from typing import Any

import orjson

from returpost.contracts import ids
from returpost.contracts.cloudevents import decode
from returpost.errors import InvalidMessage
from services.replay.domain.event_facts import contracts

EDITED = "returpost.dead-letter.edited.v1"
"""In the derivation of ids alone: the same edit of the same event has the same id."""


def edited_event(original_id: str, body: bytes) -> bytes:
    """Return the bytes of an edited event under an id that is derived from the original's.

    Raises `InvalidMessage` that says what of it breaks its contract.
    """
    try:
        event = orjson.loads(body)
    except ValueError:
        raise InvalidMessage("body: not JSON") from None
    if not isinstance(event, dict):
        raise InvalidMessage("body: not one event; edit the events of a batch one by one")
    contract = contracts().get(str(event.get("type")))
    if contract is None:
        raise InvalidMessage(f"type: unknown: {str(event.get('type'))[:100]!r}")
    content = hashlib.sha256(orjson.dumps({**event, "id": ""}, option=orjson.OPT_SORT_KEYS)).hexdigest()
    event["id"] = ids.derived(original_id, f"{EDITED}/{content}")
    changed = orjson.dumps(event)
    _, rejected = decode(contract, changed)
    if rejected:
        raise InvalidMessage(rejected[0].error)
    return changed


def difference(before: bytes, after: bytes) -> list[str]:
    """Return the lines of a unified difference between two bodies, as indented JSON where they are JSON."""
    lines = difflib.unified_diff(_lines(before), _lines(after), "original", "edited", lineterm="")
    return list(lines)


def _lines(body: bytes) -> list[str]:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return body.decode(errors="backslashreplace").splitlines()
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()
