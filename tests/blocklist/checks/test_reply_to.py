"""Where the answer to a question may go: this service may write into any queue, so the asker must not choose freely."""

from types import SimpleNamespace

import pytest
from hypothesis import given, strategies as st

from returpost.contracts import AddressCheck
from returpost.contracts.cloudevents import encode, event
from services.blocklist.checks.check_rpc import DIRECT_REPLY_TO, read_check
from shared.messaging.topology import queues

BODY, _ = encode([event(AddressCheck(addresses=["a@example.com"]), id="q", source="/test", tenant="acme")])
QUEUES = [queue.name for queue in queues(("news",))]


def answered_at(reply_to: str | None, user: str | None) -> str:
    connection = SimpleNamespace(url=SimpleNamespace(user="returpost-blocklist"))
    message = SimpleNamespace(
        body=BODY, reply_to=reply_to, user_id=user, exchange="returpost.commands", routing_key="address.check.acme",
        correlation_id="c", headers={}, channel=SimpleNamespace(connection=connection),
    )  # fmt: skip
    return read_check(message).data.reply_to  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply_to", "user", "own"),
    [
        (f"{DIRECT_REPLY_TO}g1hkAB.c2VjcmV0", None, True),
        ("reply.crm-one", "crm-one", True),
        ("reply.crm-one.7", "crm-one", True),
        ("reply.crm-one", None, False),
        ("reply.crm-one", "crm-two", False),
        ("reply.crm-one-b", "crm-one", False),
        ("amq.rabbitmq.reply-to", "crm-one", False),
        ("reply.None", None, False),
        (None, "crm-one", False),
    ],
)
def test_answers_go_to_the_asker_alone(reply_to: str | None, user: str | None, own: bool) -> None:
    assert answered_at(reply_to, user) == (reply_to if own else "")


@given(st.sampled_from(QUEUES) | st.text(), st.sampled_from([None, "crm-one", "sender-news", "returpost-actions"]))
def test_no_queue_of_the_topology_gets_answers(reply_to: str, user: str | None) -> None:
    answered = answered_at(reply_to, user)
    assert answered not in QUEUES
    assert answered == "" or answered.startswith((f"reply.{user}", DIRECT_REPLY_TO))
