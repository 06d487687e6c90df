"""From rows that somebody handed in to delivery results: JSON, a list of them, or JSON lines. No I/O."""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from returpost.bounces.events.results import of_input
from returpost.contracts import DeliveryResult
from returpost.contracts.cloudevents import Event, explain, split
from returpost.errors import InvalidMessage

MAX_RESULTS = 50_000
"""Results in one body."""

MAX_VALUES = 2_000_000
"""Values in one body: each takes about 100 bytes of memory."""
MAX_ROW = 1024 * 1024
"""Bytes of a line."""

_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}\Z")
"""As `Id` of the contracts; a lone surrogate is no character either, though JSON can spell it."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row that was not taken: its position, counted from 0, and what is wrong with it."""

    index: int
    problem: str


def split_rows(body: bytes, *, lines: bool) -> Iterator[bytes]:
    """Cut the body into rows: lines, the elements of a list, or the one object. Raises `InvalidMessage`."""
    body = body.removeprefix(codecs.BOM_UTF8)
    if not lines and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise InvalidMessage(f"body: more than {MAX_VALUES} values; send it in parts")
    if lines:
        yield from (line for line in body.splitlines() if line.strip())
    elif body.lstrip()[:1] == b"[":
        yield from split(body)
    elif body.strip():
        yield body


def read_results(rows: Iterable[bytes], tenant: str, source: str) -> Iterator[Event[DeliveryResult] | RefusedRow]:
    """Yield what each row says, or what is wrong with it. Raises `InvalidMessage` for none, or too many."""
    index = -1
    for index, row in enumerate(rows):
        if index >= MAX_RESULTS:
            raise InvalidMessage(f"body: at most {MAX_RESULTS} results are allowed; send them in parts")
        try:
            yield _read_row(row, tenant, source)
        except ValidationError as error:
            yield RefusedRow(index, explain(error))
        except InvalidMessage as error:
            yield RefusedRow(index, str(error))
    if index < 0:
        raise InvalidMessage("body: empty; send one delivery result, a JSON list of them or JSON lines")


def _read_row(row: bytes, tenant: str, source: str) -> Event[DeliveryResult]:
    if len(row) > MAX_ROW:
        raise InvalidMessage(f"longer than {MAX_ROW} bytes")
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
