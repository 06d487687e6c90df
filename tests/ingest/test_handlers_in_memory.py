"""Ingest's handlers over in-memory adapters: commands in, events out, without a server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from returpost.amqp.publisher import Outgoing, merge
from returpost.contracts import DeliveryResult, ids
from returpost.contracts.cloudevents import event
from returpost.contracts.routing import COMMANDS, DEAD_LETTERS, routing_key
from services.ingest.app import create
from services.ingest.settings import Settings
from tests.support.adapters.in_memory import InMemoryBroker, consume
from tests.support.harness import TENANT

pytestmark = pytest.mark.anyio

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE = "ingest.delivery-result"


async def submitted(*results: dict[str, Any]) -> InMemoryBroker:
    """Return what the broker holds after ingest has taken these results."""
    broker = InMemoryBroker()
    outgoing = []
    for n, changes in enumerate(results):
        data = DeliveryResult.model_validate(
            {"mailing": "m-1", "address": f"u{n}@example.com", "time": MOMENT, "sender": "news"} | changes
        )
        command = event(data, id=ids.of_content(n), source="/test", tenant=TENANT)
        outgoing.append(Outgoing(command, COMMANDS, routing_key(command.type, TENANT, "news")))
    assert await broker.publish(merge(outgoing)) == []
    await consume(create(Settings()), broker, QUEUE)
    return broker


async def test_results_become_recorded_deliveries_and_bounces() -> None:
    broker = await submitted(
        {"result": "delivered"}, {"result": "bounced", "diagnostic": "550 5.1.1 user unknown", "reply_code": 550}
    )
    (delivered,) = broker.take_events("classifier.delivery-recorded")
    assert (delivered["data"]["address"], delivered["data"]["result"]) == ("u0@example.com", "delivered")
    (bounce,) = broker.take_events("classifier.bounce-received")
    assert (bounce["data"]["address"], bounce["data"]["evidence"]["reply_code"]) == ("u1@example.com", 550)
    assert broker.queues[DEAD_LETTERS] == []


async def test_results_get_the_same_ids_again() -> None:
    first, again = [await submitted({"result": "delivered"}) for _ in range(2)]
    queue = "classifier.delivery-recorded"
    assert [one["id"] for one in first.take_events(queue)] == [one["id"] for one in again.take_events(queue)]


async def test_results_from_the_future_are_dead_letters() -> None:
    broker = await submitted({"result": "delivered", "time": datetime(2999, 1, 1, tzinfo=UTC)}, {"result": "delivered"})
    (dead_letter,) = broker.queues[DEAD_LETTERS]
    assert "future" in dead_letter.headers["x-returpost-error"]
    assert len(broker.take_events("classifier.delivery-recorded")) == 1
