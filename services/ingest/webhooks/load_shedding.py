"""Load shedding: what can wait is deferred while requests wait to be answered, and done in the time that is left."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Sequence
from typing import TypeVar

from returpost.contracts import Contract, ProviderPayloadProcess, construct_trusted, ids
from returpost.contracts.cloudevents import EncodedEvent, Event
from services.ingest.events import new_encoded_event
from services.ingest.settings import Settings
from services.ingest.webhooks.ingestion import Payload
from shared.messaging.consumer import Handle
from shared.messaging.direct_publisher import DirectPublisher
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service

D = TypeVar("D", bound=Contract)

MAX_WAITING = 8
"""Requests that are read before they are answered, while they wait for their confirms. Of more than that the bodies are
confirmed, and read when there is time: so a crowd is let in three times as fast (bench/webhooks.py)."""

SHORTEST, LONGEST = 0.002, 0.25
"""Seconds of a pause; a crowd makes what can wait slow, but never stops it."""
BUSY = 0.5
"""Of the time of a processor: a process that uses more has none left over, if those who are answered are not to wait
for each other (bench/webhooks.py)."""
LATE = 0.004
"""Seconds past its end at which a pause tells that other processes had the processor."""


def after(pause: float, share: float, late: float) -> float:
    """Return the pause after this one: `share` of a processor was used since the one before, and it ended so late."""
    return min(LONGEST, pause * 2) if share > BUSY or late > LATE else max(SHORTEST, pause / 2)


class Pace:
    """Pauses that become shorter while there is time left over, and longer while there is none."""

    def __init__(self) -> None:
        self.pause = LONGEST
        self._since, self._used = time.monotonic(), time.process_time()

    async def step(self) -> None:
        """Let the others go first."""
        due = time.monotonic() + self.pause
        await asyncio.sleep(self.pause)
        now, used = time.monotonic(), time.process_time()
        share = (used - self._used) / max(now - self._since, SHORTEST)
        self._since, self._used = now, used
        self.pause = after(self.pause, share, now - due)


PACE = Pace()
"""Of a process, for what a crowd has put off."""


def is_crowded(service: Service[Settings]) -> bool:
    """Tell whether so many wait for RabbitMQ that what they bring should be read later."""
    return isinstance(service.uow_factory, DirectPublisher) and service.uow_factory.waiting > MAX_WAITING


async def yield_to_requests(service: Service[Settings]) -> None:
    """Let those go first who wait to be answered."""
    if is_crowded(service):
        await PACE.step()
    else:
        await asyncio.sleep(0)


def then_yield_to_requests(handle: Handle[D], service: Service[Settings]) -> Handle[D]:
    """Return the handler with a pause after each batch, for those who wait to be answered."""

    async def handle_and_yield(events: Sequence[Event[D]], work: UnitOfWork) -> None:
        await handle(events, work)
        await yield_to_requests(service)

    return handle_and_yield


def defer(payload: Payload) -> EncodedEvent:
    """Return the command to read a payload later."""
    body = b64encode(payload.body).decode()
    data = construct_trusted(ProviderPayloadProcess, provider=payload.provider, sender=payload.sender, body=body)
    return new_encoded_event(data, id=ids.of_bytes(payload.tenant, payload.body), tenant=payload.tenant)
