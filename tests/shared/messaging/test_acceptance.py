"""By which way an event is accepted, and to whom it is attributed."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from deploy.generate.documents import _wired
from returpost.contracts import BlockSet, ContactUpsert, DeliveryResult
from returpost.contracts.cloudevents import Event, event
from returpost.contracts.routing import COMMANDS, DEAD, EVENTS, REPLAY, SERVICES, routing_key
from shared.messaging.acceptance import Origin, judge, origin_of, refusal
from shared.messaging.dead_letters import EXCHANGE, ROUTING_KEY, USER
from shared.messaging.topology import queues

MOMENT = "2026-01-02T03:04:05+00:00"
BLOCK = {"addresses": ["a@example.com"], "time": MOMENT, "by": "ann"}
RESULT = {"mailing": "m", "address": "a@example.com", "result": "sent", "time": MOMENT, "sender": "news"}
EVENTS_BY_KEY: dict[str, Event[Any]] = {
    "block.set.acme": event(BlockSet.model_validate(BLOCK), id="1", source="/x", tenant="acme"),
    "block.set.beta": event(BlockSet.model_validate(BLOCK), id="2", source="/x", tenant="beta"),
    "delivery.result.acme.news": event(DeliveryResult.model_validate(RESULT), id="3", source="/x", tenant="acme"),
    "contact.upsert.acme": event(
        ContactUpsert.model_validate({"contact": "c", "time": MOMENT}), id="4", source="/returpost/actions",
        tenant="acme",
    ),
}  # fmt: skip
KEYS = (
    st.sampled_from(sorted(EVENTS_BY_KEY))
    | st.text()
    | st.builds("{}.x".format, st.sampled_from(sorted(EVENTS_BY_KEY)))
)


def accepted(given_: Event[Any], origin: Origin) -> Any:
    (result,) = judge([given_], origin, type(given_.data))
    return result


def message(exchange: str, key: str, user: str | None, **headers: Any) -> Any:
    connection = SimpleNamespace(url=SimpleNamespace(user="returpost-blocklist"))
    return SimpleNamespace(
        exchange=exchange,
        routing_key=key,
        user_id=user,
        headers=headers,
        channel=SimpleNamespace(connection=connection),
    )


@given(KEYS, st.sampled_from(sorted(EVENTS_BY_KEY)))
def test_an_event_is_accepted_by_its_own_key_alone(key: str, own: str) -> None:
    result = accepted(EVENTS_BY_KEY[own], Origin(COMMANDS, key, "returpost-actions", True))
    assert isinstance(result, str) is (key != own)


@given(st.sampled_from(["CC", "BCC"]), st.lists(st.text()))
def test_a_message_for_further_keys_is_refused(header: str, keys: list[str]) -> None:
    given_ = message(COMMANDS, "block.set.acme", "crm-one", **{header: keys})
    assert header in refusal(given_, origin_of(given_), "blocklist.block-set")


@pytest.mark.parametrize(("exchange", "key"), [(COMMANDS, "delivery.result.acme.news"), (EVENTS, "block.set.acme")])
def test_a_message_of_another_queue_is_refused(exchange: str, key: str) -> None:
    given_ = message(exchange, key, "sender-news")
    assert "routing key" in refusal(given_, origin_of(given_), "blocklist.block-set")


def test_every_consumer_accepts_its_own_events() -> None:
    """What a queue is bound to is what its consumer takes: nothing that is wired is refused for its way."""
    bound = {queue.name: queue.bindings for queue in queues(())}
    for service in SERVICES:
        for one in _wired(service).subscribers:
            contract = one.consumer.contract
            for binding in bound[one.consumer.queue]:
                if binding.exchange in (REPLAY, DEAD):
                    continue
                words = [word.replace("*", "news") for word in binding.key.split(".")[3:]]
                detail = None if contract.DETAIL is None else (*words, "news")[0]
                key = routing_key(contract.TYPE, "acme", detail)
                key = f"{key}.news" if contract.TYPE.startswith("returpost.kumomta") else key
                given_ = message(binding.exchange, key, None)
                assert refusal(given_, origin_of(given_), one.consumer.queue) == ""


@pytest.mark.parametrize(
    ("user", "by"),
    [("returpost-actions", "ann"), ("returpost-blocklist", "ann"), ("crm-one", "crm-one"), ("sender-x", "sender-x")],
)
def test_a_command_is_attributed_to_its_publisher(user: str, by: str) -> None:
    result = accepted(EVENTS_BY_KEY["block.set.acme"], origin_of(message(COMMANDS, "block.set.acme", user)))
    assert not isinstance(result, str)
    assert result.data.by == by
    result = accepted(EVENTS_BY_KEY["contact.upsert.acme"], origin_of(message(COMMANDS, "contact.upsert.acme", user)))
    assert not isinstance(result, str)
    assert result.source == ("/returpost/actions" if by == "ann" else f"/users/{by}")


@pytest.mark.parametrize("key", ["block.set.acme", "contact.upsert.acme"])
def test_nothing_is_attributed_to_nobody(key: str) -> None:
    result = accepted(EVENTS_BY_KEY[key], origin_of(message(COMMANDS, key, None)))
    assert isinstance(result, str)
    assert result.startswith("user_id")


def test_in_a_message_each_event_is_judged_by_itself() -> None:
    events = [EVENTS_BY_KEY[key] for key in ("block.set.beta", "block.set.acme", "block.set.beta")]
    results = judge(events, Origin(COMMANDS, "block.set.acme", "returpost-actions", True), BlockSet)
    assert [isinstance(result, str) for result in results] == [True, False, True]
    assert results[1] is events[1]


def test_results_need_no_user() -> None:
    """A mail server's log hook sets none; the key, which RabbitMQ has checked, names the sender."""
    key = "delivery.result.acme.news"
    assert accepted(EVENTS_BY_KEY[key], origin_of(message(COMMANDS, key, None))) is EVENTS_BY_KEY[key]


def test_a_replayed_message_is_accepted_as_it_was_published() -> None:
    first = {EXCHANGE: COMMANDS, ROUTING_KEY: "block.set.acme", USER: "crm-one"}
    origin = origin_of(message(REPLAY, "blocklist.block-set", "returpost-replay", **first))
    assert origin == Origin(COMMANDS, "block.set.acme", "crm-one", False)
    for user in ("crm-one", None):  # what it claims counts when replay says so
        given_ = message(REPLAY, "blocklist.block-set", user, **first)
        assert refusal(given_, origin_of(given_), "blocklist.block-set")
