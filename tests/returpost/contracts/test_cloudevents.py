"""CloudEvents: both modes, and one bad event that takes no other with it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import DeliveryResult, ids, structs
from returpost.contracts.cloudevents import BATCHED, STRUCTURED, Event, decode, encode, event, split
from returpost.errors import InvalidMessage

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def result(n: int = 0, **changes: Any) -> Event[DeliveryResult]:
    data = {"mailing": "m-1", "address": f"u{n}@example.com", "result": "delivered", "time": MOMENT} | changes
    return event(
        DeliveryResult.model_validate(data), id=ids.of_content(n), source="/senders/news", tenant="acme", subject="m-1"
    )


def test_one_event_is_structured_and_several_are_batched() -> None:
    assert encode([result()])[1] == STRUCTURED
    body, content_type = encode([result(1), result(2)])
    assert content_type == BATCHED
    events, rejected = decode(DeliveryResult, body)
    assert rejected == []
    assert [item.id for item in events] == [ids.of_content(1), ids.of_content(2)]
    assert [item.data for item in events] == [result(1).data, result(2).data]


def test_unknown_fields_are_ignored() -> None:
    value = json.loads(encode([result()])[0])
    value["extension"] = "x"
    value["data"]["later"] = {"added": 1}
    events, rejected = decode(DeliveryResult, json.dumps(value).encode())
    assert (len(events), rejected) == (1, [])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"type": "returpost.delivery.unheard-of.v1"}, "type"),
        ({"specversion": "0.3"}, "specversion"),
        ({"tenant": "No Such"}, "tenant"),
        ({"id": ""}, "id"),
        ({"data": {}}, "data.mailing"),
        ({"data": "text"}, "data"),
        ({"time": "yesterday"}, "time"),
    ],
)
def test_what_is_wrong_is_named_without_the_input(change: dict[str, Any], where: str) -> None:
    value = json.loads(encode([result()])[0]) | change
    events, rejected = decode(DeliveryResult, json.dumps(value).encode())
    assert events == []
    assert where in rejected[0].error
    assert "u0@example.com" not in rejected[0].error


@pytest.mark.parametrize(
    "change",
    [
        {"address": "u\x00@example.com"},
        {"diagnostic": "550 \x00"},
        {"mailing": "m\x00"},
        {"time": "2026-01-02T03:04:05"},
        {"result": "vanished"},
        {"reply_code": 99},
        {"status": "9.9.9"},
    ],
)
def test_one_bad_event_leaves_the_rest_with_its_exact_bytes(change: dict[str, Any]) -> None:
    values = [json.loads(encode([result(n)])[0]) for n in range(500)]
    values[250]["data"] |= change
    bad = json.dumps(values[250], indent=1, ensure_ascii=False).encode()
    body = b"[" + b" ,\n".join([*(json.dumps(v).encode() for v in values[:250]), bad] +
                               [json.dumps(v).encode() for v in values[251:]]) + b"]"  # fmt: skip
    events, rejected = decode(DeliveryResult, body)
    assert len(events) == 499
    assert [item.body for item in rejected] == [bad]


@pytest.mark.parametrize("spoilt", [b"\x00", b"\xff", b"\n"])
def test_a_raw_byte_spoils_its_own_event_alone(spoilt: bytes) -> None:
    items = [encode([result(n)])[0] for n in range(3)]
    items[1] = items[1].replace(b"u1@", b"u1" + spoilt + b"@")
    events, rejected = decode(DeliveryResult, b"[" + b",".join(items) + b"]")
    assert [item.data.address for item in events] == ["u0@example.com", "u2@example.com"]
    assert [item.body for item in rejected] == [items[1]]


@pytest.mark.parametrize("read", [decode, structs.decode])
@pytest.mark.parametrize("tail", [b"x", b"\x00", b"]", b"[]", b"{}"])
def test_bytes_after_a_whole_array_are_no_event(read: Any, tail: bytes) -> None:
    for body in (b"[] " + tail, b"[" + encode([result(1)])[0] + b"]" + tail):
        events, rejected = read(DeliveryResult, body)
        assert events == []
        assert [item.body for item in rejected] == [body]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[", b"[1,", b"\xff\xfe", b"null", b'"x"', b"[" * 100_000, b"{}" * 3, b"[]x"]
)
def test_what_is_no_event_is_rejected_whole(body: bytes) -> None:
    events, rejected = decode(DeliveryResult, body)
    assert events == []
    assert [item.body for item in rejected] == [body]


def test_elements_that_are_no_objects() -> None:
    events, rejected = decode(DeliveryResult, b'[1, null, [], "x"]')
    assert events == []
    assert [item.body for item in rejected] == [b"1", b"null", b"[]", b'"x"']


@given(st.lists(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))))
def test_split_gives_each_element_back(values: list[Any]) -> None:
    assert [json.loads(item) for item in split(json.dumps(values, ensure_ascii=False).encode())] == values


@pytest.mark.parametrize("body", [b"", b"{}", b"[1 2]", b"[1,,2]", b"[\xff]", b"[1", b"[]x", b"[1] [2]", b"[1]\x00"])
def test_split_refuses_what_is_no_array(body: bytes) -> None:
    with pytest.raises(InvalidMessage):
        list(split(body))


@given(st.binary(max_size=200))
def test_no_bytes_raise(body: bytes) -> None:
    events, rejected = decode(DeliveryResult, body)
    assert events == []
    assert b"" not in [item.body for item in rejected] or body == b""


def test_an_event_of_another_type_in_a_batch_is_rejected_alone() -> None:
    items = [encode([result(n)])[0] for n in range(3)]
    items[1] = items[1].replace(DeliveryResult.TYPE.encode(), b"returpost.delivery.unheard-of.v1")
    events, rejected = decode(DeliveryResult, b"[" + b",".join(items) + b"]")
    assert [item.data.address for item in events] == ["u0@example.com", "u2@example.com"]
    assert [(item.body, item.error.partition(":")[0]) for item in rejected] == [(items[1], "type")]
