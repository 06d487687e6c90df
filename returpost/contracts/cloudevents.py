"""CloudEvents 1.0 in JSON: one event a message (structured mode) or several of one type (batched mode).

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md sections 3 and 4.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from json import JSONDecodeError, JSONDecoder
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, cast

import orjson
from msgspec import Struct
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from returpost.contracts import Contract, Id, Name, construct_trusted
from returpost.errors import InvalidMessage, words

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"

D = TypeVar("D", bound=Contract)
M = TypeVar("M")

TraceParent = Annotated[str, StringConstraints(pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]
"""https://www.w3.org/TR/trace-context-1/#traceparent-header, carried as the CloudEvents extension of that name."""


class Event(BaseModel, Generic[D]):
    """One event: the attributes of CloudEvents, the tenant, and the data of its contract."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    specversion: Literal["1.0"]
    id: Id
    source: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
    type: str
    subject: Id | None = None
    time: AwareDatetime | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    tenant: Name
    traceparent: TraceParent | None = None
    data: D


@dataclass(frozen=True, slots=True)
class Rejected:
    """One event of a message that breaks the contract: its exact bytes and what is wrong with it."""

    body: bytes
    error: str


def event(
    data: D, *, id: str, source: str, tenant: str, subject: str | None = None, traceparent: str | None = None
) -> Event[D]:
    """Wrap `data` as an event that happened now. What is given must be valid: it follows from what was validated."""
    data = _model(data)
    return construct_trusted(
        _event_class(type(data)),
        specversion="1.0",
        id=id,
        source=source,
        type=data.TYPE,
        subject=subject,
        time=datetime.now(UTC),
        datacontenttype="application/json",
        tenant=tenant,
        traceparent=traceparent,
        data=data,
    )


class EncodedEvent(NamedTuple):
    """An event in its own bytes. What is told by the thousand is written when it is made, in a quarter of the time that
    making, checking and writing a model takes."""

    id: str
    type: str
    tenant: str
    data: Any
    """A contract."""
    body: bytes


AnyEvent = Event[Any] | EncodedEvent


def encode_event(
    data: Contract, *, id: str, source: str, tenant: str, subject: str | None = None, traceparent: str | None = None
) -> EncodedEvent:
    """Write what `event` would make of the same."""
    attributes: dict[str, Any] = {"specversion": "1.0", "id": id, "source": source, "type": data.TYPE}
    if subject is not None:
        attributes["subject"] = subject
    attributes |= {"time": datetime.now(UTC), "datacontenttype": "application/json", "tenant": tenant}
    if traceparent is not None:
        attributes["traceparent"] = traceparent
    attributes["data"] = _told(data)
    return EncodedEvent(id, data.TYPE, tenant, data, orjson.dumps(attributes, _told, orjson.OPT_UTC_Z))


def _told(model: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in model.__dict__.items() if value is not None}


def encode(events: Sequence[Event[D] | EncodedEvent]) -> tuple[bytes, str]:
    """Return the body and its content type: structured for one event, batched for several of one type."""
    if any(type(one) is EncodedEvent for one in events):
        bodies = [one.body if isinstance(one, EncodedEvent) else encode([one])[0] for one in events]
        return (bodies[0], STRUCTURED) if len(bodies) == 1 else (b"[" + b",".join(bodies) + b"]", BATCHED)
    return _encode([_model(one) for one in events if not isinstance(one, EncodedEvent)])


def _model(one: M) -> M:
    """Return what was read as a struct (`structs`) as the model that it stands for, to tell it again."""
    return cast("M", one.to_model()) if isinstance(one, Struct) else one  # type: ignore[attr-defined]


def _encode(events: list[Event[D]]) -> tuple[bytes, str]:
    if len(events) == 1:
        return events[0].__pydantic_serializer__.to_json(events[0], exclude_none=True), STRUCTURED
    adapter: TypeAdapter[list[Event[D]]] = _batch_adapter(type(events[0].data))
    return adapter.dump_json(events, exclude_none=True), BATCHED


def decode(contract: type[D], body: bytes) -> tuple[list[Event[D]], list[Rejected]]:
    """Read a message of either mode, told apart by its first character, not by what its header claims.

    What breaks the contract is returned with its own bytes; the rest of the message is good. A body that is no JSON
    at all is rejected whole.
    """
    if body.lstrip(b" \t\r\n")[:1] != b"[":
        try:
            return [_checked(contract, _event_class(contract).model_validate_json(body))], []
        except (ValidationError, InvalidMessage) as error:
            return [], [Rejected(body, explain(error))]
    try:
        items = _reader(contract).validate_json(body)
    except ValidationError:
        items = None  # no JSON: one event with broken bytes makes all of it that
    try:
        if items is None:
            return decode_each(contract, split(body))
        good, bad = _told_apart(contract, items)
        if not bad:
            return good, []
        bodies = list(split(body))
        return good, decode_each(contract, [bodies[n] for n in bad])[1]
    except InvalidMessage as error:
        return [], [Rejected(body, str(error))]


def explain(error: ValidationError | InvalidMessage) -> str:
    """Say what is wrong and where, without the input: it may hold addresses."""
    if isinstance(error, InvalidMessage):
        return str(error)
    details = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(str(part) for part in item['loc']) or 'message'}: {words(item)}" for item in details[:10]]
    if len(details) > 10:
        lines.append(f"and {len(details) - 10} more")
    return "; ".join(lines)


def _told_apart(contract: type[D], items: list[Any]) -> tuple[list[Event[D]], list[int]]:
    """Return the events among what was read, and the places of what is none."""
    class_, type_ = _event_class(contract), contract.TYPE
    good = [item for item in items if type(item) is class_ and item.type == type_]
    if len(good) == len(items):
        return good, []
    return good, [n for n, item in enumerate(items) if type(item) is not class_ or item.type != type_]


def decode_each(contract: type[D], items: Iterable[bytes]) -> tuple[list[Event[D]], list[Rejected]]:
    """Read the elements of a batch, each by itself."""
    good: list[Event[D]] = []
    bad: list[Rejected] = []
    for item in items:
        events, rejected = (
            ([], [Rejected(item, "event: not an object")]) if item[:1] == b"[" else decode(contract, item)
        )
        good += events
        bad += rejected
    return good, bad


def read_each(batch: bytes) -> Iterable[tuple[bytes, Any]]:
    """Yield the exact bytes of each element of a JSON array with what they say, of a batch in ASCII. Raises
    `InvalidMessage` when it is none, or when one element is no JSON: then `split` tells which."""
    return _elements(JSONDecoder(), batch, batch.decode("ascii"))


def split(batch: bytes) -> Iterable[bytes]:
    """Yield the exact bytes of each element of a JSON array. Raises `InvalidMessage` when it is none.

    Lenient inside the elements, so that control characters or broken UTF-8 spoil the element they are in and no other.
    """
    # One character a byte: positions are those of the bytes.
    return (element for element, _ in _elements(JSONDecoder(strict=False), batch, batch.decode("latin-1")))


def _elements(decoder: JSONDecoder, batch: bytes, text: str) -> Iterable[tuple[bytes, Any]]:
    try:
        position = _skip_space(text, text.index("[") + 1)
        while text[position] != "]":
            value, end = decoder.raw_decode(text, position)
            yield batch[position:end], value
            position = _skip_space(text, end)
            if text[position] == ",":
                position = _skip_space(text, position + 1)
            elif text[position] != "]":
                raise InvalidMessage(f"message: neither comma nor bracket at byte {position}")
        if text[position + 1 :].strip(" \t\r\n"):
            raise InvalidMessage(f"message: more bytes after the array, from byte {position + 1} on")
    except (JSONDecodeError, IndexError, ValueError, RecursionError) as error:
        raise InvalidMessage(f"message: not a JSON array: {error}") from None


def _skip_space(text: str, position: int) -> int:
    while text[position] in " \t\r\n":
        position += 1
    return position


def _checked(contract: type[D], item: Event[D]) -> Event[D]:
    if item.type != contract.TYPE:
        raise InvalidMessage(f"type: expected {contract.TYPE}, got {item.type[:100]}")
    return item


@cache
def _event_class(contract: type[D]) -> type[Event[D]]:
    return Event[contract]  # type: ignore[valid-type]


@cache
def _reader(contract: type[D]) -> TypeAdapter[list[Any]]:
    """Read a batch in one pass: what breaks the contract becomes whatever JSON it is, and takes no other with it."""
    item: Any = Annotated[_event_class(contract) | Any, Field(union_mode="left_to_right")]
    return TypeAdapter(list[item])


@cache
def _batch_adapter(contract: type[D]) -> TypeAdapter[list[Event[D]]]:
    return TypeAdapter(list[_event_class(contract)])  # type: ignore[arg-type,misc]
