"""Results as senders write them, and what ingest makes of them as the services after it hear it."""

import asyncio
import json
from typing import Any

from returpost.contracts.routing import EVENTS
from tests.support.harness import TENANT, Harness, eventually

RECORDED, BOUNCED = "actions.delivery-recorded", "classifier.bounce-received"
TIME = "2026-01-02T03:04:05Z"


def row(n: int, **changes: Any) -> dict[str, Any]:
    """Return the data of a result."""
    return {
        "mailing": "m-1",
        "address": f"u{n}@example.com",
        "result": "bounced",
        "time": TIME,
        "sender": "news",
        "diagnostic": "550 5.1.1 user unknown",
    } | changes


def cloud(n: int, attributes: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Return a result as a CloudEvent."""
    return {
        "specversion": "1.0",
        "id": f"r-{n}",
        "source": "/senders/news",
        "type": "returpost.delivery.result.v1",
        "tenant": TENANT,
        "data": row(n, **changes),
    } | (attributes or {})


async def receive_events(harness: Harness, queue: str, number: int) -> list[dict[str, Any]]:
    """Return the events that came to a queue, when there are as many; no more may come with them."""
    found: list[dict[str, Any]] = []

    async def look() -> int:
        found.extend(await harness.take_events(queue))
        return len(found)

    await eventually(look, lambda seen: seen >= number)
    assert len(found) == number
    return found


async def record_routing_keys(harness: Harness, *patterns: str) -> "asyncio.Queue[tuple[str, Any]]":
    """Listen to routing keys from now on; each message is put into the queue with its key."""
    heard_keys: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
    queue = await harness.channel.declare_queue("", exclusive=True)
    for pattern in patterns:
        await queue.bind(EVENTS, pattern)

    async def put(message: Any) -> None:
        heard_keys.put_nowait((message.routing_key, json.loads(message.body)))

    await queue.consume(put, no_ack=True)
    return heard_keys
