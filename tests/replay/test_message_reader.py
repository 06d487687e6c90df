"""Dead letters read from any message: nothing in it is taken to be right."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from services.replay.domain.dead_letter import DeadLetter
from services.replay.message_reader import MAX_FINGERPRINT, MAX_NAME, MAX_TEXT, read_dead_letter
from shared.messaging.dead_letters import dead_letter

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def message(body: bytes = b"{", content_type: str | None = None, **headers: Any) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return delivered(body, content_type, names)


def delivered(body: bytes, content_type: str | None, headers: Any) -> Any:
    return SimpleNamespace(
        body=body, content_type=content_type, routing_key="k0", exchange="returpost.dead", user_id="returpost-actions",
        headers=headers,
    )  # fmt: skip


def ours(error: str = "no", queue: str = "q", attempts: int = 0, body: bytes = b"{") -> Any:
    built = dead_letter(
        body,
        queue=queue,
        exchange="e",
        routing_key="k",
        user="crm-one",
        content_type="text/plain",
        headers={"x-returpost-attempt": attempts},
        error=error,
    )
    return delivered(body, "text/plain", built.headers)


def changed(given_: Any, **values: Any) -> Any:
    return SimpleNamespace(**{**vars(given_), **values})


def read(given_: Any) -> DeadLetter:
    return read_dead_letter(given_).data


def test_read_dead_letter_of_our_consumers() -> None:
    found = read(ours("data.time: missing", "actions.block-cleared", attempts=2))
    assert (found.queue, found.exchange, found.routing_key, found.attempt) == ("actions.block-cleared", "e", "k", 3)
    assert found.published_by == "crm-one"
    assert (found.error, found.stack, found.content_type, found.body) == ("data.time: missing", "", "text/plain", b"{")
    assert len(found.fingerprint) == 16
    assert found.failed_at.tzinfo is not None


def test_read_dead_letter_of_the_broker() -> None:
    death = {"queue": "q1", "exchange": "e1", "routing-keys": ["k1"], "reason": "delivery_limit", "count": 7,
             "time": MOMENT.replace(tzinfo=None)}  # fmt: skip
    found = read(message(x_death=[death, {"queue": "older"}]))
    assert (found.queue, found.exchange, found.routing_key, found.attempt) == ("q1", "e1", "k0", 7)
    assert found.published_by == "returpost-actions"
    assert (found.failed_at, found.error) == (MOMENT, "dead-lettered by RabbitMQ: delivery_limit")
    assert found.fingerprint == read(message(b"other", x_death=[death])).fingerprint
    assert found.fingerprint != read(message(x_death=[death | {"reason": "expired"}])).fingerprint


def test_identity_tells_redeliveries_from_failures() -> None:
    once = ours()
    assert read_dead_letter(once).id == read_dead_letter(once).id
    again = {**once.headers, "x-returpost-attempt": 2}
    later = {**once.headers, "x-returpost-time": MOMENT.isoformat()}
    assert read_dead_letter(changed(once, headers=later)).id == read_dead_letter(once).id
    by_another = {**once.headers, "x-returpost-user": "crm-two"}
    elsewhere = {**once.headers, "x-returpost-queue": "other"}
    ids = {
        read_dead_letter(changed(once, headers=headers)).id for headers in (once.headers, again, by_another, elsewhere)
    }
    ids.add(read_dead_letter(changed(once, body=b"}")).id)
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_returpost_error": "a\x00b\ud800"}, {"error": "a\ufffdb?", "queue": "", "attempt": 1}),
        ({"x_returpost_error": b"\xff\x00", "x_returpost_queue": b"q"}, {"error": "\ufffd\ufffd", "queue": "q"}),
        ({"x_returpost_error": "e" * 20_000}, {"error": "e" * MAX_TEXT}),
        ({"x_returpost_error": "", "x_returpost_queue": "q" * 999}, {"queue": "q" * MAX_NAME}),
        ({"x_returpost_error": "", "x_returpost_fingerprint": "f" * 999}, {"fingerprint": "f" * MAX_FINGERPRINT}),
        ({"x_returpost_error": "", "x_returpost_attempt": -(2**62)}, {"attempt": 0}),
        ({"x_returpost_error": "", "x_returpost_attempt": 2**62}, {"attempt": 1_000_000}),
        ({"x_returpost_error": "", "x_returpost_attempt": "many"}, {"attempt": 1}),
        ({"x_returpost_error": None, "x_returpost_stack": {"a": 1}}, {"error": "", "stack": "{'a': 1}"}),
        ({"x_death": "nonsense"}, {"queue": "", "error": "dead-lettered by RabbitMQ: no reason given"}),
        ({"x_death": []}, {"queue": "", "attempt": 1}),
        ({"x_death": [{"routing-keys": "k", "time": "now", "count": "x"}]}, {"routing_key": "k0", "attempt": 1}),
        ({}, {"queue": "", "content_type": "application/octet-stream"}),
    ],
)
def test_read_dead_letter_with_wrong_headers(headers: dict[str, Any], expected: dict[str, Any]) -> None:
    found = read(message(**headers))
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("time", ["", "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_read_dead_letter_without_a_time_is_now(time: str) -> None:
    before = datetime.now(UTC)
    assert before <= read(message(x_returpost_error="", x_returpost_time=time)).failed_at <= datetime.now(UTC)


def test_headers_of_our_own_count_when_a_service_published() -> None:
    """Who provokes a dead letter of the broker does not write what it says, and replays nothing by another key."""
    claims = {**ours(queue="blocklist.address-erase").headers, "x-returpost-routing-key": "address.erase.beta"}
    death = {"queue": "q1", "exchange": "returpost.replay", "routing-keys": ["address.erase.beta"], "count": 50}
    channel = SimpleNamespace(connection=SimpleNamespace(url=SimpleNamespace(user="returpost-replay")))
    forged = changed(ours(), headers={**claims, "x-death": [death]}, user_id="sender-news", channel=channel)
    found = read(forged)
    assert (found.queue, found.routing_key, found.published_by) == ("q1", "k0", "sender-news")
    del forged.headers["x-returpost-error"]
    replayed = read(changed(forged, user_id="returpost-replay"))
    assert (replayed.queue, replayed.routing_key) == ("q1", "address.erase.beta")


VALUES = st.none() | st.integers() | st.text() | st.binary() | st.datetimes() | st.lists(st.text(), max_size=2)
NAMES = ("error", "stack", "queue", "exchange", "routing-key", "attempt", "fingerprint", "time")


@given(
    st.dictionaries(st.sampled_from([f"x-returpost-{name}" for name in NAMES]), VALUES),
    st.none() | VALUES | st.lists(st.dictionaries(st.sampled_from(["queue", "count", "time", "routing-keys"]), VALUES)),
    st.binary(max_size=20),
)
def test_reading_raises_nothing_and_fits_the_table(headers: dict[str, Any], deaths: object, body: bytes) -> None:
    given_ = message(body)
    given_.headers = headers | ({"x-death": deaths} if deaths is not None else {})
    found = read(given_)
    texts = (found.queue, found.exchange, found.routing_key, found.error, found.stack, found.fingerprint)
    assert all("\x00" not in text and text.encode() is not None for text in texts)
    assert 0 <= found.attempt < 2**31
    assert found.failed_at.utcoffset() is not None
    assert found.body == body
