"""From a result to events: the same input always makes the same events, and nothing is lost on the way."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st

from returpost.bounces.events.results import events_of, of_input
from returpost.bounces.evidence import evidence_of
from returpost.contracts import BounceReceived, DeliveryRecorded, DeliveryResult, Kind, Result
from returpost.contracts.cloudevents import Event, decode, encode, event
from returpost.errors import InvalidMessage
from shared.clock import check_not_in_future

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def result(**changes: Any) -> DeliveryResult:
    data = {"mailing": "m-1", "address": "Ann@Example.com", "result": "bounced", "time": MOMENT, "sender": "news"}
    return DeliveryResult.model_validate(data | changes)


def wrapped(id_: str | None = None, tenant: str = "acme", source: str = "/s", **changes: Any) -> Event[DeliveryResult]:
    return of_input(result(**changes), tenant=tenant, id_=id_, source=source)


def ids_of(cause: Event[DeliveryResult]) -> list[str]:
    return [follower.id for follower in events_of(cause)]


def test_the_same_input_makes_the_same_ids() -> None:
    assert wrapped().id == wrapped().id
    assert ids_of(wrapped()) == ids_of(wrapped())
    assert ids_of(wrapped("n1")) == ids_of(wrapped("n1"))
    recorded, received = ids_of(wrapped())
    assert recorded != received


@pytest.mark.parametrize(
    "changes",
    [
        {"mailing": "m-2"},
        {"address": "eve@example.com"},
        {"result": "delivered"},
        {"time": MOMENT + timedelta(seconds=1)},
        {"sender": "other"},
        {"contact": "c1"},
        {"attempt": 2},
        {"reply_code": 550},
        {"status": "5.1.1"},
        {"diagnostic": "no"},
        {"remote_mta": "mx"},
        {"feedback_type": "abuse"},
        {"tenant": "rival"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_content_is_another_input(changes: dict[str, Any]) -> None:
    assert wrapped(**changes).id != wrapped().id
    assert not set(ids_of(wrapped(**changes))) & set(ids_of(wrapped()))


def test_the_same_moment_in_another_time_zone_is_the_same_content() -> None:
    assert wrapped(time="2026-01-02T04:04:05+01:00").id == wrapped().id


def test_an_own_id_goes_before_the_content() -> None:
    assert wrapped("n1").id == wrapped("n1", diagnostic="told again in other words").id
    assert wrapped("n1").id != wrapped("n2").id
    assert wrapped("n1").id != wrapped().id


def test_source_and_id_together_identify() -> None:
    assert wrapped("n1", source="/a").id != wrapped("n1", source="/b").id
    assert wrapped("n1", tenant="a").id != wrapped("n1", tenant="b").id
    cause = wrapped("n1")
    other = cause.model_copy(update={"source": "/another"})
    assert not set(ids_of(cause)) & set(ids_of(other))
    assert ids_of(cause) == ids_of(cause.model_copy(update={"time": MOMENT, "traceparent": None, "subject": None}))


@pytest.mark.parametrize("kind", list(Result))
def test_only_a_bounce_is_one(kind: Result) -> None:
    followers = list(events_of(wrapped(result=kind, contact="c1", attempt=3)))
    recorded = followers[0]
    assert recorded.data == DeliveryRecorded(
        mailing="m-1", address="Ann@example.com", result=kind, time=MOMENT, sender="news", contact="c1"
    )
    assert [one.data.TYPE for one in followers[1:]] == ([BounceReceived.TYPE] if kind is Result.BOUNCED else [])
    for received in followers[1:]:
        assert isinstance(received.data, BounceReceived)
        assert (received.data.attempt, received.data.time, received.data.sender) == (3, MOMENT, "news")


@pytest.mark.parametrize(
    ("given_", "code", "status"),
    [
        ({"diagnostic": "550 5.1.1 user unknown"}, 550, "5.1.1"),
        ({"diagnostic": "550 5.1.1 user unknown", "reply_code": 452}, 452, "5.1.1"),
        ({"diagnostic": "550 5.1.1 user unknown", "status": "4.2.2"}, 550, "4.2.2"),
        ({"diagnostic": "550 5.1.1 user unknown", "reply_code": 452, "status": "4.2.2"}, 452, "4.2.2"),
        ({"diagnostic": "user unknown", "reply_code": 550}, 550, None),
        ({"diagnostic": "no codes on 10.5.1.1"}, None, None),
        ({}, None, None),
    ],
)
def test_codes_are_taken_from_the_text_when_none_is_given(
    given_: dict[str, Any], code: int | None, status: str | None
) -> None:
    evidence = evidence_of(result(**given_, remote_mta="mx.example.com", feedback_type="abuse"))
    assert (evidence.reply_code, evidence.status) == (code, status)
    assert (evidence.diagnostic, evidence.remote_mta) == (given_.get("diagnostic", ""), "mx.example.com")
    assert (evidence.kind, evidence.format, evidence.feedback_type) == (Kind.FAILURE, "smtp", "abuse")


def test_a_clock_may_be_a_little_ahead() -> None:
    tolerance = timedelta(minutes=15)
    check_not_in_future(MOMENT + tolerance, MOMENT, tolerance)
    check_not_in_future(MOMENT - timedelta(days=9999), MOMENT, tolerance)
    with pytest.raises(InvalidMessage, match=r"data\.time.*future"):
        check_not_in_future(MOMENT + tolerance + timedelta(seconds=1), MOMENT, tolerance)


@given(
    st.builds(
        dict,
        diagnostic=st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        reply_code=st.none() | st.integers(200, 599),
        attempt=st.none() | st.integers(1, 1000),
        result=st.sampled_from(Result),
    )
)
def test_what_is_told_keeps_the_contracts(changes: dict[str, Any]) -> None:
    """The events are made without checks: they must read back as what they are."""
    for follower in events_of(wrapped(**changes)):
        body, _ = encode([event(follower.data, id=follower.id, source="/t", tenant="acme")])
        (read,), rejected = decode(type(follower.data), body)
        assert not rejected
        assert read.data == follower.data
        assert read.id == follower.id
