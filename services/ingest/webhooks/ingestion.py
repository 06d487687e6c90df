"""What a provider told becomes events, whichever way it came; nothing of it is lost without a trace."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from prometheus_client import Counter as Metric

from returpost.amqp.publisher import Message
from returpost.bounces.events.payloads import events_of_normalized
from returpost.bounces.events.results import Derived
from returpost.bounces.providers import Ignored, NormalizedResult, Unreadable, normalize
from returpost.contracts import RawOutcome
from services.ingest.events import emit_results
from services.ingest.raw_messages.domain import RawMessage, is_worth_keeping, store_command
from services.ingest.settings import Settings
from shared.clock import check_not_in_future
from shared.messaging.dead_letters import dead_letter, publish_or_dead_letter
from shared.messaging.unit_of_work import UnitOfWork
from shared.pacing import paced
from shared.service import Service

EVENTS = Metric("returpost_webhook_events_total", "Events that providers told", ["provider", "outcome"])
"""outcome: accepted; ignored (says nothing of a delivery); unknown, broken (kept among the dead letters)."""
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Payload:
    """What a provider told of one tenant's mails. `sender` is the system that sent them, unless their metadata tell."""

    provider: str
    tenant: str
    sender: str | None
    body: bytes


async def ingest_payload(payload: Payload, work: UnitOfWork, service: Service[Settings]) -> dict[str, int]:
    """Publish what was told and count it: `accepted`, `ignored`, and `kept` for a person to look at."""
    settings, now = service.settings, datetime.now(UTC)
    latest = now + settings.clock_tolerance

    def check(found: NormalizedResult) -> None:
        if found.result.time > latest:
            check_not_in_future(found.result.time, now, settings.clock_tolerance)

    items = [item async for item in paced(normalize(payload.provider, payload.body, check))]
    found = [item for item in items if isinstance(item, NormalizedResult)]
    kept = [item for item in items if isinstance(item, Unreadable)]
    await publish_or_dead_letter(service.publisher, [_dead_letter(item, payload) async for item in paced(kept)])
    async for original, derived in paced(_by_original(found, payload)):
        emit_results(work, payload.tenant, derived)
        if settings.keeps_raw_messages and (settings.raw_messages_of_all or is_worth_keeping(derived)):
            work.command(store_command(RawMessage(original, payload.tenant, payload.provider, JSON), derived))
    async for one in paced(kept if settings.keeps_raw_messages else ()):
        raw = RawMessage(one.body, payload.tenant, payload.provider, JSON, RawOutcome(one.outcome), one.error)
        work.command(store_command(raw))
    for outcome, number in Counter(map(_outcome, items)).items():
        EVENTS.labels(payload.provider, outcome).inc(number)
    return {"accepted": len(found), "ignored": len(items) - len(found) - len(kept), "kept": len(kept)}


def _by_original(found: list[NormalizedResult], payload: Payload) -> Iterator[tuple[bytes, list[Derived]]]:
    """Yield each event as it arrived, with all that follows from it."""
    for _, group in groupby(found, key=lambda one: id(one.original)):
        several = list(group)
        derived = [
            follower
            for one in several
            for follower in events_of_normalized(one, tenant=payload.tenant, sender=payload.sender)
        ]
        yield several[0].original, derived


def _outcome(item: NormalizedResult | Ignored | Unreadable) -> str:
    if isinstance(item, Unreadable):
        return item.outcome
    return "accepted" if isinstance(item, NormalizedResult) else "ignored"


def _dead_letter(item: Unreadable, payload: Payload) -> Message:
    return dead_letter(
        item.body,
        queue="",
        exchange="",
        routing_key=f"webhook.{payload.provider}.{payload.tenant}",
        content_type=JSON,
        headers={},
        error=item.error,
    )
