"""Following the stream for one webhook: form a message, post it until it is delivered, then the next."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from returpost.amqp.streams import Since, StreamReader, open_stream
from returpost.contracts import WebhookDisabled, ids
from returpost.contracts.cloudevents import event
from services.blocklist.address_state.reevaluate import SOURCE
from services.blocklist.outbound_webhooks import repository
from services.blocklist.outbound_webhooks.http_sender import Poster
from services.blocklist.outbound_webhooks.repository import Delivery, Webhook
from services.blocklist.outbound_webhooks.schedule import Again, Disable, Skip, decide
from services.blocklist.outbound_webhooks.stream_reader import (
    Part,
    body_of,
    events_of,
    next_parts,
    parts_between,
    skip_known,
)
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWorkFactory
from shared.observability.metrics import WEBHOOK_POSTS

EARLIER: Final = timedelta(minutes=1)
"""The broker's clock may be another."""

log = structlog.get_logger()


class Taken(Exception):
    """Somebody else posts for this webhook now, or it was changed."""


@dataclass(frozen=True, slots=True)
class Posting:
    """What all followers of a process share."""

    pool: Pool
    uow_factory: UnitOfWorkFactory
    poster: Poster
    holder: UUID
    clock: Callable[[], datetime]


async def follow(webhook: Webhook, posting: Posting, connection: Any) -> None:
    """Post what there is and what comes, in its order, until the webhook is disabled.

    Raises `Taken`, and `ConnectionError` when the broker is away.
    """
    place = webhook.place
    async with AsyncExitStack() as stack:
        begin: Since = webhook.start - EARLIER if place is None else place
        arriving = await stack.enter_async_context(open_stream(connection, begin))
        if place is not None and not await skip_known(arriving, place):
            arriving = await stack.enter_async_context(open_stream(connection, "first"))
        since = webhook.start if place is None else None
        while True:
            delivery = await repository.next_open(posting.pool, webhook.id)
            if delivery is None:
                delivery, body = await _form(webhook, posting, arriving, since)
                since = None
            else:
                body = await _again(webhook, posting, connection, delivery)
            if body and not await _deliver(webhook, posting, delivery, body):
                return


async def _form(
    webhook: Webhook, posting: Posting, arriving: StreamReader, since: datetime | None
) -> tuple[Delivery, bytes]:
    parts: list[Part] = []
    while not parts:
        parts = [part for part in await next_parts(arriving, webhook.tenant) if events_of([part], since)]
    events = events_of(parts)
    first, last = parts[0].offset, parts[-1].offset
    id_ = f"msg_{ids.of_content(str(webhook.id), first, last).replace('-', '')}"
    delivery = await repository.form(
        posting.pool, webhook, posting.holder, id_, len(events), first, last, posting.clock()
    )
    if delivery is None:
        raise Taken
    return delivery, body_of(events)


async def _again(webhook: Webhook, posting: Posting, connection: Any, delivery: Delivery) -> bytes:
    """Return the body of what was formed before; nothing when the stream no longer has it."""
    parts = await parts_between(connection, webhook.tenant, delivery.first_offset, delivery.last_offset)
    if parts:
        return body_of(events_of(parts))
    log.error("webhook: the stream no longer has what was to be posted", webhook=webhook.name, delivery=delivery.id)
    await repository.lost(posting.pool, webhook.id, delivery.id, posting.clock())
    return b""


async def _deliver(webhook: Webhook, posting: Posting, delivery: Delivery, body: bytes) -> bool:
    """Post until it is delivered or given up; return whether the webhook still goes."""
    attempts, due = delivery.attempts, delivery.due_at
    skipped = await repository.last_was_skipped(posting.pool, webhook.id)
    while True:
        await asyncio.sleep(max(0.0, (due - posting.clock()).total_seconds()))
        secrets = webhook.secrets(posting.clock())
        answer = await posting.poster.post(webhook.url, delivery.id, body, secrets)
        attempts += 1
        chance = random.random()  # noqa: S311 - no secret
        decision = decide(attempts, answer, posting.clock(), chance, skipped=skipped)
        WEBHOOK_POSTS.labels(type(decision).__name__.lower()).inc()
        async with posting.uow_factory.begin() as work:
            await repository.tried(work.connection, webhook.id, delivery, answer, decision, posting.clock())
            if isinstance(decision, Disable) and await repository.disable(
                work.connection, webhook.id, decision.why, posting.clock()
            ):
                work.emit(_disabled(webhook, delivery, decision.why, posting.clock()))
                log.error("webhook disabled", webhook=webhook.name, tenant=webhook.tenant, why=decision.why)
        if isinstance(decision, Skip):
            log.error("webhook: a message is skipped", webhook=webhook.name, delivery=delivery.id, why=decision.why)
        if not isinstance(decision, Again):
            return not isinstance(decision, Disable)
        log.warning("webhook: not delivered", webhook=webhook.name, attempt=attempts, problem=answer.problem)
        due = decision.at


def _disabled(webhook: Webhook, delivery: Delivery, why: str, now: datetime) -> Any:
    data = WebhookDisabled(name=webhook.name, why=why, time=now)
    return event(data, id=ids.of_content("webhook disabled", delivery.id, now), source=SOURCE, tenant=webhook.tenant)
