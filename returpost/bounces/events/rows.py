"""From rows that somebody handed in to delivery results: JSON, a list of them, or JSON lines. No I/O."""

import codecs
import json
import re
from dataclasses import dataclass

from pydantic import ValidationError

from returpost.bounces.events.results import of_input
from returpost.contracts import DeliveryResult
from returpost.contracts.cloudevents import Event, explain, split
from returpost.errors import InvalidMessage

MAX_RESULTS = 50_000
"""Results in one body."""

_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}\Z")
"""As `Id` of the contracts; a lone surrogate is no character either, though JSON can spell it."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row that was not taken: its position, counted from 0, and what is wrong with it."""

    index: int
    problem: str


def split_rows(body: bytes, *, lines: bool) -> list[bytes]:
    """Cut the body into rows: lines, the elements of a list, or the one object. Raises `InvalidMessage`."""
    body = body.removeprefix(codecs.BOM_UTF8)
    if lines:
        found = [line for line in body.splitlines() if line.strip()]
    elif body.lstrip()[:1] == b"[":
        found = list(split(body))
    else:
        found = [body] if body.strip() else []
    if not found:
        raise InvalidMessage("body: empty; send one delivery result, a JSON list of them or JSON lines")
    if len(found) > MAX_RESULTS:
        raise InvalidMessage(f"body: {len(found)} results; at most {MAX_RESULTS} at a time")
    return found


def read_results(
    found: list[bytes], tenant: str, source: str
) -> tuple[list[tuple[int, Event[DeliveryResult]]], list[RefusedRow]]:
    """Read each row for itself: what is right with its place, and what is wrong."""
    taken: list[tuple[int, Event[DeliveryResult]]] = []
    refused: list[RefusedRow] = []
    for index, row in enumerate(found):
        try:
            taken.append((index, _read_row(row, tenant, source)))
        except ValidationError as error:
            refused.append(RefusedRow(index, explain(error)))
        except InvalidMessage as error:
            refused.append(RefusedRow(index, str(error)))
    return taken, refused


def _read_row(row: bytes, tenant: str, source: str) -> Event[DeliveryResult]:
    try:
        value = json.loads(row)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidMessage("not an object")
    if "specversion" in value:
        event = Event[DeliveryResult].model_validate({"tenant": tenant} | value)
        if event.type != DeliveryResult.TYPE:
            raise InvalidMessage(f"type: expected {DeliveryResult.TYPE}, got {event.type[:100]}")
        if event.tenant != tenant:
            raise InvalidMessage(f"tenant: this token is for {tenant}")
        return event
    identity = value.get("id")
    if identity is not None and not (isinstance(identity, str) and _ID.match(identity)):
        raise InvalidMessage("id: a text of 1 to 200 characters, none of them a control character")
    return of_input(DeliveryResult.model_validate(value), tenant=tenant, id_=identity, source=source)
