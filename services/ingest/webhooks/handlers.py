"""Payloads of providers that come over the broker: those that were deferred, and the logs of KumoMTA."""

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import ClassVar

from aio_pika.abc import AbstractIncomingMessage

from returpost.bounces.providers import PROVIDERS
from returpost.contracts import Contract, ProviderPayloadProcess, construct_trusted, ids
from returpost.contracts.cloudevents import Event
from services.ingest.events import new_event
from services.ingest.settings import Settings
from services.ingest.webhooks.ingestion import Payload, ingest_payload
from services.ingest.webhooks.load_shedding import yield_to_requests
from shared.messaging.acceptance import origin_of
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


class KumoLog(Contract):
    """A log record of KumoMTA, or several, as its AMQP log hook publishes them: the record itself, no CloudEvent."""

    TYPE: ClassVar[str] = "returpost.kumomta.log.v1"

    body: bytes
    tenant: str
    sender: str
    """Both out of the routing key, which the broker has checked."""


async def handle_deferred(
    events: Sequence[Event[ProviderPayloadProcess]], work: UnitOfWork, *, service: Service[Settings]
) -> None:
    """Read what was deferred. Whoever posts meanwhile is answered first; a crowd makes it slow, but never stops it."""
    for event in events:
        data = event.data
        try:
            payload = Payload(data.provider, event.tenant, data.sender, b64decode(data.body, validate=True))
        except ValueError:
            work.refuse(event, "data.body: not Base64")
            continue
        if payload.provider in PROVIDERS:
            await ingest_payload(payload, work, service)
            await yield_to_requests(service)
        else:
            work.refuse(event, "data.provider: not known")


def read_log(message: AbstractIncomingMessage) -> Event[KumoLog]:
    """Make an event of a message of KumoMTA, with the routing key `kumomta.log.<tenant>.<sender>`."""
    tenant, sender = [*origin_of(message).routing_key.split(".")[2:4], "", ""][:2]
    data = construct_trusted(KumoLog, body=message.body, tenant=tenant, sender=sender)
    return new_event(data, id=ids.of_bytes(tenant, message.body), tenant=tenant)


async def handle_kumomta_logs(
    events: Sequence[Event[KumoLog]], work: UnitOfWork, *, service: Service[Settings]
) -> None:
    """Read what KumoMTA publishes."""
    for event in events:
        data = event.data
        if _NAME.match(data.tenant) and _NAME.match(data.sender):
            await ingest_payload(Payload("kumomta", data.tenant, data.sender, data.body), work, service)
        else:
            work.refuse(event, "routing key: expected kumomta.log.<tenant>.<sender>")
