"""What is left of a dead letter when an address is erased: nothing that names it, and all that names others."""

import base64
import json
import zlib

import orjson
import pytest

from services.replay.domain.erasure import holds_any, without

ANN, BOB = "ann@example.com", "bob@example.com"
HOLDS = holds_any([ANN, "kari@xn--blbr-roah.example"])


@pytest.mark.parametrize(
    "text",
    [
        ANN, "Ann <ANN@Example.COM>", "bounces+ann=example.com@us.example", "?to=ann%40example.com",
        "ann\\u0040example.com",
        "550 5.1.1 <ann@example.com>: unknown", "mail ann@example.com.", "a\\nann@example.com", "kari@blåbær.example",
        "x-ann=example.com@us.example",
    ],
)  # fmt: skip
def test_an_address_is_found_in_each_form(text: str) -> None:
    assert HOLDS(text.encode())
    assert HOLDS(zlib.compress(b"x " * 5_000 + text.encode()))


@pytest.mark.parametrize(
    "text",
    [BOB, "joann@example.com", "jo.ann@example.com", "jo-ann@example.com", "ann@example.com.au",
     "ann@example.community", "ann@example.com-x.no", "joann=example.com@us.example", "@example.com", ""],
)  # fmt: skip
def test_another_address_is_not_taken_for_it(text: str) -> None:
    assert not HOLDS(text.encode())


def test_a_batch_keeps_its_other_events_and_a_command_its_other_addresses() -> None:
    events = [{"id": "1", "data": {"address": ANN}}, {"id": "2", "data": {"addresses": [BOB, ANN], "note": "left"}}]
    assert json.loads(without(json.dumps(events).encode(), HOLDS) or b"") == [
        {"id": "2", "data": {"addresses": [BOB], "note": "left"}}
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"data": {"address": ANN}}, [{"data": {"address": ANN}}], {"data": {"addresses": [ANN]}}, {ANN: 1},
        {"body": base64.b64encode(zlib.compress(f"To: {ANN}\r\n\r\nHi, how are you?".encode())).decode()},
        {"payload": json.dumps({"email": ANN})},
    ],
)  # fmt: skip
def test_nothing_is_left_of_what_is_about_it_alone(value: object) -> None:
    assert without(orjson.dumps(value), HOLDS) is None


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\xc3(", b'[{"a": 1},\n  {}]', b'{"a": []}', b"[]", b"null", b"x bob@example.com"]
)
def test_what_names_others_stays_as_it_came(body: bytes) -> None:
    assert without(body, HOLDS) is body


def test_bytes_that_are_no_json_go_as_a_whole() -> None:
    assert without(f"{{broken {ANN}".encode(), HOLDS) is None


def test_many_addresses_are_looked_for_together() -> None:
    holds = holds_any(f"u{number}@example.com" for number in range(1_000))
    assert holds(b"u999@example.com")
    assert not holds(b"u1000@example.com")
