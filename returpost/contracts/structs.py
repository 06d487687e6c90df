"""The contracts that come by the million, read by msgspec in a quarter of pydantic's time.

The structs are made from the contracts, with the same names, properties and limits. `read` returns what pydantic would,
or nothing: whatever it does not understand at once, from a broken event to a field that is new, is pydantic's to read
or to refuse. So nothing depends on which of the two read a message, but for methods: a struct has the properties of its
contract, none of pydantic's methods, and `to_model`, which makes the contract of it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, cast, get_args, get_origin

import msgspec
from pydantic import AwareDatetime, BaseModel, BeforeValidator, StringConstraints
from pydantic.fields import FieldInfo

from returpost.contracts import cloudevents
from returpost.contracts.addresses import is_usual, normalise
from returpost.contracts.cloudevents import Event, Rejected
from returpost.contracts.messages.bounce import BounceClassified, BounceReceived
from returpost.contracts.messages.delivery import DeliveryRecorded, DeliveryResult
from returpost.contracts.messages.fields import MAX_DIAGNOSTIC, Contract, construct_trusted, to_utc
from returpost.errors import InvalidAddress

D = TypeVar("D", bound=Contract)

CONTRACTS: tuple[type[Contract], ...] = (DeliveryResult, DeliveryRecorded, BounceReceived, BounceClassified)
"""Whose handlers read attributes, and nothing else."""

_FINER_THAN_MICROSECONDS = re.compile(rb":\d\d[.,]\d{7}")
"""Pydantic cuts such a fraction of a second off, msgspec rounds it."""

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


class _Field(NamedTuple):
    """A field that has to be looked at after reading."""

    parent: Callable[[Any], Any]
    name: str
    get: Callable[[Any], Any]


class _Reader(NamedTuple):
    """How a contract is read."""

    one: msgspec.json.Decoder[Any]
    batch: msgspec.json.Decoder[Any]
    optional: set[tuple[str, ...]]
    """Paths of fields that need not be there; their patterns are msgspec's to match."""
    patterns: list[tuple[Callable[[Any], Any], Callable[[str], Any]]]
    addresses: list[_Field]
    times: list[_Field]


def decode(contract: type[D], body: bytes) -> tuple[list[Event[D]], list[Rejected]]:
    """Do what `cloudevents.decode` does, faster where it can. Raises `InvalidMessage` as that does."""
    if contract not in CONTRACTS:
        return cloudevents.decode(contract, body)
    events = read(contract, body)
    if events is not None:
        return events, []
    try:  # one event that is for pydantic leaves the others to structs
        items = [bytes(item) for item in _ITEMS.decode(body)]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return cloudevents.decode(contract, body)
    rejected: list[Rejected] = []
    events = []
    for item in items:
        found = None if item[:1] == b"[" else read(contract, item)
        if found is None:
            found, bad = cloudevents.decode_each(contract, [item])
            rejected += bad
        events += found
    return events, rejected


def read(contract: type[D], body: bytes) -> list[Event[D]] | None:
    """Return the events of a message of either mode as structs, or nothing when it is for pydantic to read."""
    reader = _reader_of(contract)
    if _FINER_THAN_MICROSECONDS.search(body):
        return None
    try:
        batched = body.lstrip(b" \t\r\n")[:1] == b"["
        events = reader.batch.decode(body) if batched else [reader.one.decode(body)]
        for get, matches in reader.patterns:
            if not all(map(matches, set(map(get, events)))):
                return None
        _normalise(events, reader.addresses)
        _to_utc(events, reader.times)
    except (msgspec.DecodeError, UnicodeError, InvalidAddress, OverflowError, RecursionError):
        return None
    return cast("list[Event[D]]", events)


def _normalise(events: Sequence[Any], fields: Iterable[_Field]) -> None:
    for field in fields:
        if not all(address is None or is_usual(address) for address in map(field.get, events)):
            _change(events, field, normalise)


def _to_utc(events: Sequence[Any], fields: Iterable[_Field]) -> None:
    for field in fields:
        if not all(time is None or time.tzinfo is UTC for time in map(field.get, events)):
            _change(events, field, lambda time: time.astimezone(UTC))


def _change(events: Sequence[Any], field: _Field, change: Callable[[Any], Any]) -> None:
    for event in events:
        value = field.get(event)
        if value is not None:
            setattr(field.parent(event), field.name, change(value))


@cache
def _reader_of(contract: type[Contract]) -> _Reader:
    reader = _Reader(msgspec.json.Decoder(), msgspec.json.Decoder(), set(), [], [], [])
    class_ = cast("Any", Event)[contract]
    struct = _struct(class_, (), reader)
    return reader._replace(one=msgspec.json.Decoder(struct), batch=msgspec.json.Decoder(list[struct]))  # type: ignore[valid-type]


def _struct(model: type[BaseModel], path: tuple[str, ...], reader: _Reader) -> type[msgspec.Struct]:
    """Make the struct of a model, and note in the reader what is to be looked at of its fields."""
    fields: list[tuple[str, Any, Any]] = []
    for name, info in model.model_fields.items():
        type_: Any
        if name == "type" and issubclass(model, Event):
            type_ = Literal[model.model_fields["data"].annotation.TYPE]  # type: ignore[union-attr]
        else:
            if not info.is_required():
                reader.optional.add((*path, name))
            type_ = _type(info, (*path, name), reader)
        fields.append((name, type_, _default(info)))
    own: dict[str, Any] = {k: v for k, v in vars(model).items() if isinstance(v, property) or k in ("TYPE", "DETAIL")}
    own["to_model"] = lambda one: construct_trusted(model, **{name: _plain(getattr(one, name)) for name, *_ in fields})
    return msgspec.defstruct(model.__name__, fields, namespace=own, kw_only=True, forbid_unknown_fields=True, gc=False)


def _plain(value: Any) -> Any:
    return value.to_model() if isinstance(value, msgspec.Struct) else value  # type: ignore[attr-defined]


def _default(info: FieldInfo) -> Any:
    if info.is_required():
        return msgspec.NODEFAULT
    if info.default_factory is not None:
        return msgspec.field(default_factory=cast("Callable[[], Any]", info.default_factory))
    return info.default


def _type(info: FieldInfo, path: tuple[str, ...], reader: _Reader) -> Any:
    """Return the type that msgspec reads a field as. What pydantic keeps of an annotation beside its type, it keeps of
    the outermost alone: that of `str | None` stands inside."""
    return _converted(Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation, path, reader)


def _converted(annotation: Any, path: tuple[str, ...], reader: _Reader) -> Any:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _constrained(_converted(arguments[0], path, reader), arguments[1:], path, reader)
    if origin in (Union, UnionType):
        return Union[tuple(one if one is NoneType else _converted(one, path, reader) for one in arguments)]  # noqa: UP007
    if origin in (tuple, list):
        inner = _Reader(reader.one, reader.batch, {path}, [], [], [])
        types = tuple(one if one is Ellipsis else _converted(one, path, inner) for one in arguments)
        if inner.patterns or inner.addresses or inner.times:
            raise TypeError(f"{'.'.join(path)}: items that have to be looked at after reading")
        return origin[types]
    if annotation is AwareDatetime:
        return Annotated[datetime, msgspec.Meta(tz=True)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _struct(annotation, path, reader)
    return annotation


def _constrained(type_: Any, constraints: Iterable[Any], path: tuple[str, ...], reader: _Reader) -> Any:
    limits: dict[str, Any] = {}
    for one in constraints:
        if isinstance(one, StringConstraints) or getattr(one, "pattern", None):
            if one.pattern is not None:
                # `$` is the end to pydantic, and may stand before a last line break in Python.
                pattern = "(?a)" + str(one.pattern).removesuffix("$") + r"\Z"
                if path in reader.optional:
                    limits["pattern"] = pattern
                else:  # of a batch, most are the same in all events
                    reader.patterns.append((_getter(path), re.compile(pattern).match))
            if getattr(one, "max_length", None) is not None:
                limits["max_length"] = one.max_length
        elif isinstance(one, BeforeValidator):
            limits["max_length"] = MAX_DIAGNOSTIC
        elif getattr(one, "func", None) is normalise:
            reader.addresses.append(_field(path))
        elif getattr(one, "func", None) is to_utc:
            reader.times.append(_field(path))
        else:
            limits |= _limits(one)
    return Annotated[type_, msgspec.Meta(**limits)] if limits else type_


def _limits(constraint: Any) -> dict[str, Any]:
    """Return the limits of pydantic's `Field`, which msgspec calls the same. Raises `TypeError` for any other."""
    kept = getattr(constraint, "metadata", [constraint])
    found = {
        name: getattr(one, name) for one in kept for name in ("ge", "gt", "le", "lt", "max_length", "min_length")
        if getattr(one, name, None) is not None
    }  # fmt: skip
    if not found:
        raise TypeError(f"{constraint!r}: a constraint that structs do not know")
    return found


def _field(path: tuple[str, ...]) -> _Field:
    return _Field(_getter(path[:-1]), path[-1], _getter(path))


def _getter(path: tuple[str, ...]) -> Callable[[Any], Any]:
    return attrgetter(".".join(path))
