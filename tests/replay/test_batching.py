"""Which dead letters travel together, and what is known of their bytes."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, strategies as st

from returpost.amqp.publisher import MAX_BYTES
from services.replay.domain.batching import MAX_TOGETHER, ToSend, split_into_parts
from services.replay.domain.event_facts import FOREIGN, NO_QUEUE, Facts, contracts, read_facts
from services.replay.domain.plan import Count, feasible
from services.replay.domain.selection import reports_outcome, takes_type
from shared.messaging.replay_outcome import digest

JOB = UUID(int=7)


def to_send(position: int, body: bytes, queue: str = "q", event_id: str = "i", **changes: Any) -> ToSend:
    values: dict[str, Any] = {"attempt": 1, "content_type": "c", "event_type": "t", "headers": "{}"}
    values |= {"exchange": "e", "routing_key": "k", "published_by": "u"}
    values |= {"digest": digest(body)} | changes
    return ToSend(position=position, id=uuid4(), queue=queue, event_id=event_id, body=body, **values)


members = st.builds(
    lambda n, size, queue, known, attempt: to_send(
        0, json.dumps({"n": n, "x": "x" * size}).encode(), queue, "i" if known else "", attempt=attempt
    ),
    st.integers(0, 30), st.sampled_from([0, 10, MAX_BYTES]), st.sampled_from("ab"), st.booleans(), st.integers(1, 2),
)  # fmt: skip


@given(st.lists(members, max_size=60))
def test_all_travel_once_with_their_bytes(items: list[ToSend]) -> None:
    items = [to_send(n, i.body, i.queue, i.event_id, attempt=i.attempt) for n, i in enumerate(items)]
    parts = split_into_parts(items, 5, None)
    assert sorted(m.position for part in parts for m in part.members) == list(range(len(items)))
    assert [part.number for part in parts] == list(range(5, 5 + len(parts)))
    for part in parts:
        message = part.message(JOB)
        assert message.headers["x-returpost-replay"] == f"{JOB}/{part.number}"
        assert {(m.queue, m.attempt) for m in part.members} == {(part.queue, message.headers["x-returpost-attempt"])}
        if len(part.members) == 1:
            assert (message.body, message.content_type) == (part.members[0].body, "c")
            continue
        assert len({m.digest for m in part.members}) == len(part.members), "each is told from its neighbours"
        assert all(m.event_id for m in part.members)
        assert len(part.members) <= MAX_TOGETHER
        assert len(message.body) <= MAX_BYTES + len(part.members) + 1
        assert json.loads(message.body) == [json.loads(m.body) for m in part.members]


def test_another_queue_takes_all() -> None:
    (part,) = split_into_parts([to_send(1, b"{}", "a"), to_send(2, b'{"n":1}', "b")], 1, "c")
    assert (part.queue, part.message(JOB).routing_key) == ("c", "c")


def body(**changes: Any) -> bytes:
    event = {"id": "1", "type": "returpost.delivery.result.v1", "tenant": "acme"}
    return json.dumps(event | {"data": {"mailing": "m1", "sender": "news"}} | changes).encode()


E, C = "returpost.events", "returpost.commands"


@pytest.mark.parametrize(
    ("raw", "place", "expected"),
    [
        (body(), ("q", E, "a.b.acme"), Facts("returpost.delivery.result.v1", "1", "acme", "m1", "")),
        (body(tenant="other"), ("q", E, "a.b.acme"), Facts("returpost.delivery.result.v1", "1", "acme", "m1", FOREIGN)),
        (body(tenant="other"), ("q", "amq.direct", "a.b.c"), Facts("returpost.delivery.result.v1", "1", "other", "m1")),
        (body(), ("q", C, "delivery.result.acme.news"), Facts("returpost.delivery.result.v1", "1", "acme", "m1")),
        (
            body(),
            ("q", C, "delivery.result.acme.evil"),
            Facts("returpost.delivery.result.v1", "1", "acme", "m1", FOREIGN),
        ),
        (body(), ("", E, ""), Facts("returpost.delivery.result.v1", "1", "acme", "m1", NO_QUEUE)),
        (b"[%s,%s]" % (body(), body(id="2")), ("q", E, ""), Facts("returpost.delivery.result.v1", "", "acme", "m1")),
        (b"[%s,%s]" % (body(), body(tenant="b")), ("q", E, ""), Facts("returpost.delivery.result.v1", "", "", "m1")),
        (b"{", ("q", E, "a.b.acme"), Facts("", "", "acme")),
        (b"[1, null]", ("q", E, ""), Facts()),
        (body(id=7, data=[], type="x" * 999), ("q", E, ""), Facts("x" * 200, "", "acme", "")),
        (body(id="a\0b"), ("q", E, ""), Facts("returpost.delivery.result.v1", "a\ufffdb", "acme", "m1")),
    ],
)
def test_facts_of_bytes(raw: bytes, place: tuple[str, str, str], expected: Facts) -> None:
    assert read_facts(raw, *place) == expected


@given(st.binary(), st.text(), st.text())
def test_facts_of_anything_raise_nothing(raw: bytes, exchange: str, key: str) -> None:
    assert "\0" not in "".join([(facts := read_facts(raw, "q", exchange, key)).event_id, facts.mailing])


def test_contracts_are_known_by_type() -> None:
    assert {"returpost.delivery.result.v1", "returpost.bounce.classified.v1"} <= set(contracts())


def test_feasible_counts_each_once() -> None:
    counts = [
        Count("a.x", "t", "", 5),
        Count("a.x", "t", FOREIGN, 2),
        Count("", "t", NO_QUEUE, 3),
        Count("gone", "t", "", 4),
    ]
    found = feasible(counts, into=None, gone=["gone"])
    assert (found.dead_letters, sorted(one.count for one in found.impossible)) == (5, [2, 3, 4])
    assert found.dead_letters + sum(one.count for one in found.impossible) == sum(one.count for one in counts)


def test_queues_know_types_and_reports() -> None:
    assert takes_type("actions.delivery-recorded", "returpost.delivery.recorded.v1")
    assert takes_type("blocklist.block-set", "returpost.block.set.v1")
    assert not takes_type("blocklist.block-set", "returpost.block.clear.v1")
    assert not takes_type("no.such", "")
    assert reports_outcome("actions.block-applied")
    assert not reports_outcome("sender.news.retry-requested")
