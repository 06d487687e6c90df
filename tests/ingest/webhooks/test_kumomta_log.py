"""KumoMTA's AMQP log hook: records in the queue become the same events as by HTTP."""

import json
from collections.abc import AsyncIterator

import pytest

from returpost.contracts.routing import COMMANDS, DEAD_LETTERS
from services.ingest.app import create
from services.ingest.settings import Settings
from shared.messaging.topology import sender_user
from tests.ingest.probes import BOUNCED, RECORDED, receive_events
from tests.ingest.webhooks.builders import ANN, BOB
from tests.support.harness import Harness, RunningService, eventually

pytestmark = [pytest.mark.anyio, pytest.mark.services]

RECORD = {
    "type": "Bounce", "id": "m-1", "nodeid": "n", "recipient": ANN, "timestamp": 1_772_359_200, "num_attempts": 1,
    "queue": "spring:acme@example.com", "response": {"code": 550, "content": "no such user"},
}  # fmt: skip


@pytest.fixture
async def ingest(harness: Harness) -> AsyncIterator[RunningService]:
    async with harness.running(create, Settings, "ingest") as running:
        yield running


async def test_a_record_becomes_events_of_the_sender_in_its_key(harness: Harness, ingest: RunningService) -> None:
    await harness.publish(COMMANDS, "kumomta.log.acme.news", json.dumps(RECORD).encode(), "application/json")
    lines = b"\n".join(json.dumps(RECORD | {"recipient": who}).encode() for who in (ANN, BOB))
    await harness.publish(COMMANDS, "kumomta.log.acme.news", lines, "text/plain")
    bounces = await receive_events(harness, BOUNCED, 3)
    await receive_events(harness, RECORDED, 3)
    assert len({one["id"] for one in bounces}) == 2, "what comes twice has the same id"
    for one in bounces:
        assert (one["tenant"], one["data"]["sender"], one["data"]["mailing"]) == ("acme", "news", "spring")
        assert one["data"]["evidence"]["diagnostic"] == "550 no such user"
        assert one["data"]["evidence"]["provider_codes"] == ["Bounce"]


async def test_what_is_strange_is_kept_and_stops_nothing(harness: Harness, ingest: RunningService) -> None:
    strange = json.dumps(RECORD | {"type": "Levitation"}).encode()
    for key, body in (
        ("kumomta.log.acme.news", strange),
        ("kumomta.log.No_Tenant.news", json.dumps(RECORD).encode()),
        ("kumomta.log.acme.news", b"\x00 no record"),
        ("kumomta.log.acme.news", json.dumps(RECORD).encode()),
    ):
        await harness.publish(COMMANDS, key, body, "application/json")
    await receive_events(harness, BOUNCED, 1)
    await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 3)
    assert strange in {letter.body for letter in await harness.take(DEAD_LETTERS)}


def test_a_sender_may_publish_its_own_log_for_its_own_tenants() -> None:
    ((_, pattern, _),) = sender_user("news", ("acme",)).topics
    assert r"kumomta\.log" in pattern
