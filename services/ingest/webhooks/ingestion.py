"""What a provider told becomes events, whichever way it came; nothing of it is lost without a trace."""

import asyncio
import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import ClassVar

from aio_pika.abc import AbstractIncomingMessage
from prometheus_client import Counter as Metric

from returpost.amqp.publisher import Message
from returpost.bounces.events.payloads import events_of_normalized
from returpost.bounces.events.results import SOURCE, check_time
from returpost.bounces.providers import PROVIDERS, Ignored, NormalizedResult, Unreadable, read
from returpost.contracts import Contract, ProviderPayloadProcess, RawOutcome, construct_trusted, ids
from returpost.contracts.cloudevents import EncodedEvent, Event, encode_event, event
from services.ingest.mail_sources.ingestion import emit_all
from services.ingest.raw_messages.domain import RawMessage, is_worth_keeping, store_command
from services.ingest.settings import Settings
from services.ingest.webhooks.load_shedding import Pace
from shared.messaging.dead_letters import dead_letter, publish_or_dead_letter
from shared.messaging.direct_publisher import DirectPublisher
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service

EVENTS = Metric("returpost_webhook_events_total", "Events that providers told", ["provider", "outcome"])
"""outcome: accepted; ignored (says nothing of a delivery); unknown, broken (kept among the dead letters)."""
JSON = "application/json"
AT_ONCE = 8
"""Requests that are read before they are answered, while they wait for their confirms. Of more than that the bodies are
confirmed, and read when there is time: so a crowd is let in three times as fast (bench/webhooks.py)."""
PACE = Pace()
"""Of a process, for what a crowd has put off."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


@dataclass(frozen=True, slots=True)
class Payload:
    """What a provider told of one tenant's mails. `sender` is the system that sent them, unless their metadata tell."""

    provider: str
    tenant: str
    sender: str | None
    body: bytes


class KumoLog(Contract):
    """A log record of KumoMTA, or several, as its AMQP log hook publishes them: the record itself, no CloudEvent."""

    TYPE: ClassVar[str] = "returpost.kumomta.log.v1"

    body: bytes
    tenant: str
    sender: str
    """Both out of the routing key, which the broker has checked."""


def is_crowded(service: Service[Settings]) -> bool:
    """Tell whether so many wait for RabbitMQ that what they bring should be read later."""
    return isinstance(service.uow_factory, DirectPublisher) and service.uow_factory.waiting > AT_ONCE


async def yield_to_requests(service: Service[Settings]) -> None:
    """Let those go first who wait to be answered."""
    if is_crowded(service):
        await PACE.step()
    else:
        await asyncio.sleep(0)


def defer(told: Payload) -> EncodedEvent:
    """Return the command to read it later."""
    body = b64encode(told.body).decode()
    data = construct_trusted(ProviderPayloadProcess, provider=told.provider, sender=told.sender, body=body)
    return encode_event(data, id=ids.of_bytes(told.tenant, told.body), source=SOURCE, tenant=told.tenant)


async def handle_deferred(
    events: Sequence[Event[ProviderPayloadProcess]], work: UnitOfWork, *, service: Service[Settings]
) -> None:
    """Take what was put off. Whoever posts meanwhile is answered first; a crowd makes it slow, but never stops it."""
    for item in events:
        data = item.data
        try:
            told = Payload(data.provider, item.tenant, data.sender, b64decode(data.body, validate=True))
        except ValueError:
            work.refuse(item, "data.body: not Base64")
            continue
        if told.provider in PROVIDERS:
            await ingest_payload(told, work, service)
            await yield_to_requests(service)
        else:
            work.refuse(item, "data.provider: not known")


def read_log(message: AbstractIncomingMessage) -> Event[KumoLog]:
    """Make an event of a message of KumoMTA, with the routing key `kumomta.log.<tenant>.<sender>`."""
    tenant, sender = [*(message.routing_key or "").split(".")[2:4], "", ""][:2]
    data = construct_trusted(KumoLog, body=message.body, tenant=tenant, sender=sender)
    return event(data, id=ids.of_bytes(tenant, message.body), source=SOURCE, tenant=tenant)


async def handle_kumomta_logs(
    events: Sequence[Event[KumoLog]], work: UnitOfWork, *, service: Service[Settings]
) -> None:
    """Take what KumoMTA publishes."""
    for item in events:
        data = item.data
        if _NAME.match(data.tenant) and _NAME.match(data.sender):
            await ingest_payload(Payload("kumomta", data.tenant, data.sender, data.body), work, service)
        else:
            work.refuse(item, "routing key: expected kumomta.log.<tenant>.<sender>")


async def ingest_payload(told: Payload, work: UnitOfWork, service: Service[Settings]) -> dict[str, int]:
    """Take what was told and count it: `accepted`, `ignored`, and `kept` for a person to look at."""
    settings, now = service.settings, datetime.now(UTC)
    latest = now + settings.clock_tolerance

    def check(found: NormalizedResult) -> None:
        if found.result.time > latest:
            check_time(found.result.time, now, settings.clock_tolerance)

    items = list(read(PROVIDERS[told.provider], told.body, check))
    found = [item for item in items if isinstance(item, NormalizedResult)]
    kept = [item for item in items if isinstance(item, Unreadable)]
    await publish_or_dead_letter(service.publisher, [_letter(item, told) for item in kept])
    for original, followers in _by_original(found, told):
        emit_all(work, followers)
        if settings.keeps_raw_messages and (settings.raw_messages_of_all or is_worth_keeping(followers)):
            work.command(store_command(RawMessage(original, told.tenant, told.provider, JSON), followers))
    for one in kept if settings.keeps_raw_messages else ():
        arrived = RawMessage(one.body, told.tenant, told.provider, JSON, RawOutcome(one.outcome), one.error)
        work.command(store_command(arrived))
    for outcome, number in Counter(map(_outcome, items)).items():
        EVENTS.labels(told.provider, outcome).inc(number)
    return {"accepted": len(found), "ignored": len(items) - len(found) - len(kept), "kept": len(kept)}


def _by_original(found: list[NormalizedResult], told: Payload) -> Iterator[tuple[bytes, list[EncodedEvent]]]:
    """Yield each event as it arrived, with all that follows from it."""
    for _, group in groupby(found, key=lambda one: id(one.original)):
        several = list(group)
        followers = [
            follower
            for one in several
            for follower in events_of_normalized(one, tenant=told.tenant, provider=told.provider, sender=told.sender)
        ]
        yield several[0].original, followers


def _outcome(item: NormalizedResult | Ignored | Unreadable) -> str:
    return (
        item.outcome
        if isinstance(item, Unreadable)
        else "accepted"
        if isinstance(item, NormalizedResult)
        else "ignored"
    )


def _letter(item: Unreadable, told: Payload) -> Message:
    return dead_letter(
        item.body,
        queue="",
        exchange="",
        routing_key=f"webhook.{told.provider}.{told.tenant}",
        content_type=JSON,
        headers={},
        error=item.error,
    )
