"""The simulator over every way in: what is simulated goes out under the routing key of what it is."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from returpost.bounces.events.simulator import DOMAIN
from returpost.contracts.routing import COMMANDS
from services.ingest.app import create
from services.ingest.settings import Settings
from services.ingest.webhooks.settings import PREFIX
from tests.ingest.probes import RECORDED, receive_events, record_routing_keys
from tests.support.harness import TENANT, Harness, RunningService

pytestmark = [pytest.mark.anyio, pytest.mark.services]

Submit = Callable[[Harness, RunningService, str, int], Awaitable[None]]


@pytest.fixture
async def ingest(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningService]:
    monkeypatch.setenv(f"{PREFIX}UNSIGNED_TENANTS", TENANT)
    async with harness.running(create, Settings, "ingest") as running:
        yield running


def sent(name: str, attempt: int) -> dict[str, Any]:
    address, time = f"{name}@{DOMAIN}", datetime.now(UTC).isoformat()
    return {
        "mailing": "try", "address": address, "result": "sent", "time": time, "sender": "news", "attempt": attempt,
    }  # fmt: skip


async def by_broker(harness: Harness, _: RunningService, name: str, attempt: int) -> None:
    value = {
        "specversion": "1.0", "id": "r-1", "source": "/senders/news", "type": "returpost.delivery.result.v1",
        "tenant": TENANT, "data": sent(name, attempt),
    }  # fmt: skip
    await harness.publish(COMMANDS, f"delivery.result.{TENANT}.news", json.dumps(value).encode())


async def by_http(_: Harness, ingest: RunningService, name: str, attempt: int) -> None:
    answer = await ingest.http.post("/v1/delivery-results", json=sent(name, attempt))
    assert answer.status_code == 202, answer.text


async def by_webhook(_: Harness, ingest: RunningService, name: str, attempt: int) -> None:
    event = {
        "event": "processed", "email": f"{name}@{DOMAIN}", "timestamp": int(datetime.now(UTC).timestamp()),
        "sg_message_id": "m", "mailing": "try", "returpost_attempt": attempt,
    }  # fmt: skip
    answer = await ingest.http.post(f"/webhooks/sendgrid/{TENANT}", json=[event])
    assert answer.json() == {"accepted": 1, "ignored": 0, "kept": 0}


@pytest.mark.parametrize("submit", [by_broker, by_http, by_webhook])
async def test_simulated_results_have_routing_keys_of_their_own(
    harness: Harness, ingest: RunningService, subtests: pytest.Subtests, submit: Submit
) -> None:
    keys = await record_routing_keys(harness, "delivery.recorded.#")
    for name, attempt, results in (
        ("complaint", 1, ["sent", "delivered", "complained"]),
        ("soft-then-ok", 1, ["sent", "bounced"]),
        ("soft-then-ok", 2, ["sent", "delivered"]),
        ("unsubscribe", 1, ["sent", "delivered", "unsubscribed"]),
    ):
        with subtests.test(name, attempt=attempt):
            await submit(harness, ingest, name, attempt)
            recorded = await receive_events(harness, RECORDED, len(results))
            assert [event["data"]["result"] for event in recorded] == results
            seen: list[tuple[str, str]] = []
            while len(seen) < len(results):
                key, value = await keys.get()
                events = value if isinstance(value, list) else [value]
                seen += [(key, event["data"]["result"]) for event in events]
            assert sorted(seen) == sorted((f"delivery.recorded.{TENANT}.{result}", result) for result in results)
