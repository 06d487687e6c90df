"""What replay itself cannot keep: parked as it is, and never sent round."""

from collections.abc import Sequence
from typing import Any

import pytest

from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import DEAD, DEAD_LETTERS, PARKED
from services.replay.app import create
from services.replay.domain.dead_letter import DeadLetter
from services.replay.message_reader import read_dead_letter
from services.replay.settings import Settings
from shared.messaging.topology import policies, policy_of, queues
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from tests.replay.consumers import QUEUE, publish_dead_letters, recorded
from tests.support.harness import Harness, eventually


def test_no_queue_gives_up_messages_silently() -> None:
    """RabbitMQ 4 drops after 20 deliveries what has neither a limit nor dead letters."""
    for queue in queues():
        if queue.arguments["x-queue-type"] == "quorum":
            limit = policy_of(queue.name, policies()).definition["delivery-limit"]
            assert limit >= 10**9 or (limit > 20 and "x-dead-letter-exchange" in queue.arguments), queue.name


async def _broken(events: Sequence[Event[DeadLetter]], work: UnitOfWork) -> None:
    if any(b"u2@" in event.data.body for event in events):
        raise ValueError("a defect")


def broken(settings: Settings) -> Service[Settings]:
    """A replay that cannot keep some dead letters."""
    service = Service("replay", settings, description="")
    service.consume_raw(DEAD_LETTERS, DeadLetter, _broken, read_dead_letter, exchange=DEAD)
    return service


@pytest.mark.anyio
@pytest.mark.services
async def test_a_dead_letter_that_cannot_be_kept_is_parked_once(harness: Harness) -> None:
    async with harness.running(broken, Settings, "replay"):
        await publish_dead_letters(harness, *(recorded(n) for n in range(4)))
        await eventually(lambda: harness.depth(PARKED), lambda depth: depth == 1)
        await eventually(lambda: harness.depth(DEAD_LETTERS), lambda depth: depth == 0)
    assert (await harness.depth(DEAD_LETTERS), await harness.depth(PARKED)) == (0, 1), "it does not come back"
    async with harness.running(create, Settings, "replay") as replay:
        assert (await replay.http.post("/v1/parked/retry")).status_code == 422, "why is asked"
        answer = await replay.http.post("/v1/parked/retry", params={"why": "mended"})
        assert answer.json() == {"dead_letters": 1}

        async def look() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = (await replay.http.get("/v1/dead-letters")).json()["items"]
            return found

        (row,) = await eventually(look, lambda rows: len(rows) == 1)
        assert (row["queue"], row["error"], row["event_id"]) == (QUEUE, "boom", recorded(2).id)
        assert await harness.depth(PARKED) == 0
        (entry,) = (await replay.http.get("/v1/audit")).json()["items"]
        assert (entry["action"], entry["target"], entry["why"]) == ("unpark", "1 dead letters", "mended")
