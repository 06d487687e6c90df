"""Merging events into messages, within bounds."""

import json
from datetime import UTC, datetime

from hypothesis import given, strategies as st

from returpost.amqp.publisher import MAX_BYTES, MAX_EVENTS, Outgoing, merge
from returpost.contracts import DeliveryResult
from returpost.contracts.cloudevents import STRUCTURED, decode, event

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


def outgoing(n: int, key: str = "delivery.result.acme.news", diagnostic: str = "") -> Outgoing:
    result = DeliveryResult(
        mailing="m", address=f"u{n}@example.com", result="bounced", time=MOMENT, diagnostic=diagnostic
    )
    return Outgoing(event(result, id=str(n), source="/test", tenant="acme"), "returpost.commands", key)


@given(st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from(["a.a.acme", "b.b.acme"])), max_size=60))
def test_every_event_is_in_one_message_of_its_way_in_order(wanted: list[tuple[int, str]]) -> None:
    found: dict[str, list[int]] = {"a.a.acme": [], "b.b.acme": []}
    for message in merge(outgoing(n, key, "x" * (n % 4_000)) for n, key in wanted):
        events, rejected = decode(DeliveryResult, message.body)
        assert not rejected
        assert len(message.body) <= MAX_BYTES or len(events) == 1
        found[message.routing_key] += [int(item.id) for item in events]
    assert found == {key: [n for n, way in wanted if way == key] for key in found}


def test_bounds_split_and_one_event_is_structured() -> None:
    assert [len(json.loads(m.body)) for m in merge(outgoing(n) for n in range(MAX_EVENTS + 2))] == [MAX_EVENTS, 2]
    (single,) = merge([outgoing(1)])
    assert single.content_type == STRUCTURED
    assert len(merge(outgoing(n, diagnostic="x" * 4_000) for n in range(100))) > 1
    assert merge([]) == []
