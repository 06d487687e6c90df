"""Whatever a struct reads, pydantic reads alike; whatever pydantic accepts and writes, the struct reads."""

import json
import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel

from returpost.contracts import Contract, structs
from returpost.contracts.cloudevents import Event, decode, encode, event
from returpost.contracts.enums import Command, Fault, Kind, Reason, RecipientSource, Result, VerdictType

TIME = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True)
IDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
ADDRESSES = st.sampled_from(
    ["ann@example.com", "Ann.Berg@EXAMPLE.com", "bø@bærum.example", '"a b"@example.org', "x@[192.0.2.1]"]
)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
STATUSES, CODES = st.sampled_from(["5.1.1", "4.2.2", "2.0.0"]), st.integers(200, 599)
_COMMON = {"mailing": IDS, "address": ADDRESSES, "time": TIMES, "sender": NAMES}
_SENT = {"stream": NAMES, "sending_ip": st.sampled_from(["192.0.2.1", "2001:db8::1"])}
_REPLY = {"reply_code": CODES, "status": STATUSES, "diagnostic": TEXTS, "remote_mta": TEXTS}
_EVIDENCE = {
    **_REPLY,
    "kind": st.sampled_from(Kind),
    "reporting_mta": TEXTS,
    "format": st.sampled_from(["smtp", "rfc3464"]),
    "feedback_type": st.just("abuse"),
    "original_recipient": ADDRESSES,
    "final_recipient": ADDRESSES,
    "command": st.sampled_from(Command),
    "recipient_source": st.sampled_from(RecipientSource),
    "provider": NAMES,
    "provider_codes": st.lists(st.text(max_size=5).filter(str.isprintable), max_size=3),
    "suppressed": st.booleans(),
}
_VERDICT = {
    "type": st.sampled_from(VerdictType),
    "reason": st.sampled_from(Reason),
    "fault": st.sampled_from(Fault),
    "confidence": st.floats(0, 1),
    "dead_address": st.booleans(),
    "rule": TEXTS,
}
_JUDGED = {"text": TEXTS, "recipient_guessed": st.booleans(), "rules": st.text("0123abc.", max_size=80)}
DATA: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "DeliveryResult": st.fixed_dictionaries(
        _COMMON | {"result": st.sampled_from(Result)},
        optional={
            **_REPLY,
            **_SENT,
            "contact": IDS,
            "attempt": st.integers(1, 1000),
            "feedback_type": st.just("abuse"),
        },
    ),
    "DeliveryRecorded": st.fixed_dictionaries(
        _COMMON | {"result": st.sampled_from(Result)}, optional={**_SENT, "contact": IDS}
    ),
    "BounceReceived": st.fixed_dictionaries(
        _COMMON | {"evidence": st.fixed_dictionaries({}, optional=_EVIDENCE)},
        optional={**_SENT, "contact": IDS, "attempt": st.integers(-3, 10)},
    ),
    "BounceClassified": st.fixed_dictionaries(
        _COMMON | {"verdict": st.fixed_dictionaries(_VERDICT, optional=_JUDGED), "attempt": st.integers(0, 9)},
        optional={**_REPLY, **_SENT, "exhausted": st.booleans(), "retry_at": TIMES, "original_recipient": ADDRESSES},
    ),
}
VALUES: tuple[Any, ...] = (
    None, 0, 1, -1, 1.0, 1.5, 1e30, True, "", "a", "1", "A B", "a\n", "\x00", "\x7f", "é", "\ud800", "x" * 201,
    "x" * 4001,
    "2026-11-24", "2026-11-24T08:00:00", "2026-11-24T08:00:00z", "2026-11-24 08:00:00Z", "2026-11-24T08:00:00.1234567Z",
    "2026-11-24T08:00:00.9999999+01:00", "2026-11-24T08:00:60Z", "2026-11-24T24:00:00Z", "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59.9999999Z", "2026-11-24T08:00Z", "1764000000", 1764000000, "2026-11-24T08:00:00+0100",
    "2026-11-24T08:00:00-00:00", "Ann <ann@example.com>", "ann@EXAMPLE.com", "no address", "delivered", "DELIVERED", [],
    {}, ["a"], [1], {"a": 1}, "5.1.1", "5.1.1\n", "5.1.٣", "abuse\n", "tenant\n", "1.0", "application/json",
)  # fmt: skip
"""What stands in the place of a value, or in a field that there is not."""

JUNK = (b"", b'"', b"\\", b"\xff", b"\xc3", b"\x00", b"\n", b",", b"}", b"[", b"\\u0041", b"\\ud800", b"0", b"e9")


def written(contract: type[Contract], datas: list[dict[str, Any]]) -> bytes:
    """Write events as pydantic writes what it accepts."""
    events = [
        event(contract.model_validate(data), id=f"id-{n}", source="/test", tenant="demo", subject=f"s{n}")
        for n, data in enumerate(datas)
    ]
    return encode(events)[0]


def values(one: Any) -> Any:
    """Return what an event says, whichever class it has."""
    if isinstance(one, BaseModel):
        return {name: values(getattr(one, name)) for name in type(one).model_fields}
    if isinstance(one, msgspec.Struct):
        return {name: values(getattr(one, name)) for name in one.__struct_fields__}
    return (type(one), one.utcoffset(), one) if isinstance(one, datetime) else (type(one), one)


def check_alike(contract: type[Contract], body: bytes) -> bool:
    """Assert that structs and pydantic read and refuse the same; say whether structs alone read it."""
    found, refused = structs.decode(contract, body)
    events, rejected = decode(contract, body)
    assert refused == rejected, body
    assert [values(one) for one in found] == [values(one) for one in events]
    return structs.read(contract, body) is not None


@pytest.mark.parametrize("contract", structs.CONTRACTS)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_struct_reads_what_pydantic_writes(contract: type[Contract], data: st.DataObject) -> None:
    datas = data.draw(st.lists(DATA[contract.__name__], min_size=1, max_size=4))
    assert check_alike(contract, written(contract, datas))


@pytest.mark.parametrize("contract", structs.CONTRACTS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_struct_never_reads_what_pydantic_refuses(contract: type[Contract], data: st.DataObject) -> None:
    events = json.loads(written(contract, data.draw(st.lists(DATA[contract.__name__], min_size=2, max_size=3))))
    target = data.draw(st.sampled_from([one for event in events for one in _objects(event)]))
    name = data.draw(st.sampled_from([*target, "unknown"]))
    if data.draw(st.booleans()):
        target[name] = data.draw(st.sampled_from(VALUES))
    else:
        target.pop(name, None)
    ascii_only = data.draw(st.booleans()) or "\ud800" in repr(target).encode().decode("unicode_escape", "replace")
    text = json.dumps(events if data.draw(st.booleans()) else events[0], ensure_ascii=ascii_only)
    check_alike(contract, text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("contract", structs.CONTRACTS)
@settings(max_examples=8, deadline=None)
@given(st.data(), st.randoms(use_true_random=False))
def test_struct_reads_broken_bytes_as_pydantic_does(
    contract: type[Contract], data: st.DataObject, source: random.Random
) -> None:
    body = written(contract, [data.draw(DATA[contract.__name__])])
    for _ in range(100):
        broken = bytearray(body)
        for _ in range(source.choice((1, 1, 2))):
            place = source.randrange(len(broken))
            broken[place : place + source.choice((0, 1, 1, 3))] = source.choice(JUNK)
        check_alike(contract, bytes(broken))


@pytest.mark.parametrize("junk", [b"[EVENT]", b"[]", b"1", b"null", b'"a"', b"{}", b'{"id": "\xff"}', b" EVENT\n"])
def test_batch_with_junk_is_read_as_pydantic_does(junk: bytes) -> None:
    data = {"mailing": "m", "address": "a@example.com", "time": TIME, "sender": "s", "result": "delivered"}
    good = written(structs.CONTRACTS[1], [data])
    body = b"[" + good + b",\n " + junk.replace(b"EVENT", good) + b" ," + good + b"]"
    check_alike(structs.CONTRACTS[1], body)


@pytest.mark.parametrize("contract", structs.CONTRACTS)
def test_struct_has_the_properties_and_names_of_its_contract(contract: type[Contract]) -> None:
    struct: Any = structs._reader_of(contract).one.type
    assert struct.__struct_fields__ == tuple(Event[contract].model_fields)  # type: ignore[valid-type]
    data = msgspec.structs.fields(struct)[-1].type
    assert data.__struct_fields__ == tuple(contract.model_fields)
    assert contract.TYPE == data.TYPE


def test_struct_of_evidence_knows_whether_the_recipient_is_a_guess() -> None:
    body = written(structs.CONTRACTS[2], [
        {"mailing": "m", "address": "a@example.com", "time": TIME, "sender": "s",
         "evidence": {"recipient_source": source}}
        for source in RecipientSource
    ])  # fmt: skip
    found = structs.read(structs.CONTRACTS[2], body)
    assert found is not None
    assert [one.data.evidence.guessed for one in found] == [source.guessed for source in RecipientSource]  # type: ignore[attr-defined]


def _objects(value: dict[str, Any]) -> list[dict[str, Any]]:
    return [value, *(inner for one in value.values() if isinstance(one, dict) for inner in _objects(one))]
