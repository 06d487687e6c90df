"""What a consumer reports of replayed messages."""

import json

from hypothesis import given, strategies as st

from returpost.amqp.publisher import Message
from returpost.contracts.routing import REPLAY_OUTCOMES
from shared.messaging.dead_letters import dead_letter
from shared.messaging.replay_outcome import digest, outcomes, part_of


def failed(body: bytes, headers: dict[str, object]) -> Message:
    return dead_letter(body, queue="q", exchange="e", routing_key="k", content_type=None, headers=headers, error="no")


def test_dead_letter_keeps_the_part_and_own_headers() -> None:
    headers = {"x-returpost-replay": "j/1", "x-death": [], "CC": "elsewhere", "mine": "a", "n": 7, "long": "x" * 2_000}
    built = failed(b"{}", headers)
    assert part_of(built.headers) == "j/1"
    assert {name: built.headers.get(name) for name in ("mine", "n", "CC", "long", "x-death")} == {
        "mine": "a", "n": 7, "CC": None, "long": None, "x-death": None
    }  # fmt: skip
    assert built.headers["x-returpost-error-type"] == "InvalidMessage"
    assert built.headers["x-returpost-release"]


def test_nothing_is_reported_of_other_messages() -> None:
    assert outcomes("q", [{}, {"x-returpost-replay": 7}], [failed(b"{}", {})]) == []


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}/[0-9]{1,3}", fullmatch=True), st.lists(st.binary(), max_size=3)))
def test_each_part_is_reported_with_what_failed(parts: dict[str, list[bytes]]) -> None:
    headers = [{"x-returpost-replay": part} for part in parts]
    dead_letters = [failed(body, {"x-returpost-replay": part}) for part, bodies in parts.items() for body in bodies]
    messages = outcomes("q", [*headers, *headers, {}], dead_letters)
    assert all(message.exchange == REPLAY_OUTCOMES for message in messages)
    reports = [one for message in messages for one in json.loads(message.body)["parts"]]
    assert {one["part"]: sorted(one["failed"]) for one in reports} == {
        part: sorted(map(digest, bodies)) for part, bodies in parts.items()
    }
