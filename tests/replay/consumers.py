"""A service that takes what is replayed: its handler raises for the mailings that it is given."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika

from returpost.contracts import DeliveryRecorded, ids
from returpost.contracts.cloudevents import Event, encode, event
from returpost.contracts.routing import DEAD
from shared.messaging.dead_letters import dead_letter
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service
from shared.settings import ServiceSettings
from tests.support.harness import TENANT, Harness

QUEUE = "actions.delivery-recorded"
USER = "returpost-admin"
KEY = f"delivery.recorded.{TENANT}.sent"


class Poisoned(Exception):
    """What the handler raises."""


def recorded(n: int, mailing: str = "m1", tenant: str = TENANT, result: str = "sent") -> Event[DeliveryRecorded]:
    values = {
        "mailing": mailing,
        "address": f"u{n}@example.com",
        "result": result,
        "time": "2026-11-24T08:00:00Z",
        "sender": "news",
    }
    return event(
        DeliveryRecorded.model_validate(values), id=ids.of_content(tenant, mailing, n), source="/test", tenant=tenant
    )


async def publish_dead_letters(
    harness: Harness, *events: Event[Any], error: str = "boom", queue: str = QUEUE, key: str = KEY, attempts: int = 0
) -> None:
    """Publish a dead letter of each, as a consumer would."""
    target = await harness.channel.get_exchange(DEAD, ensure=False)
    for one in events:
        body, content_type = encode([one])
        built = dead_letter(
            body, queue=queue, exchange="returpost.events", routing_key=key, content_type=content_type,
            headers={"x-returpost-attempt": attempts, "x-trace": "no", "origin": "a system"}, error=error,
        )  # fmt: skip
        message = aio_pika.Message(body, content_type=built.content_type, headers=dict(built.headers), user_id=USER)
        await target.publish(message, "")


@asynccontextmanager
async def consuming(harness: Harness, poison: set[str], processed: list[str]) -> AsyncIterator[None]:
    """Consume the queue until the block ends; the ids of what took effect are added to `processed`."""

    async def handle(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
        for one in events:
            if one.data.mailing in poison:
                raise Poisoned
        processed.extend(one.id for one in events)

    def create(settings: ServiceSettings) -> Service[ServiceSettings]:
        service = Service("tester", settings, description="", stateless=True)
        service.consume(QUEUE, DeliveryRecorded, handle)
        return service

    async with harness.running(create, ServiceSettings, "tester"):
        yield
