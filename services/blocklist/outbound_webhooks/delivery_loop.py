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
from services.blocklist.address_state.events import new_event
from services.blocklist.outbound_webhooks import repository
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
from shared.outbound.http_sender import HttpSender

EARLIER: Final = timedelta(minutes=1)
"""The broker's clock may be another."""

log = structlog.get_logger()


class LeaseLost(Exception):
    """Somebody else posts for this webhook now, or it was changed."""


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """What all deliveries of a process share."""

    pool: Pool
    uow_factory: UnitOfWorkFactory
    sender: HttpSender
    holder: UUID
    clock: Callable[[], datetime]


async def deliver_stream(webhook: Webhook, context: DeliveryContext, connection: Any) -> None:
    """Post what there is and what comes, in its order, until the webhook is disabled.

    Raises `LeaseLost`, and `ConnectionError` when the broker is away.
    """
    last_offset = webhook.last_offset
    async with AsyncExitStack() as stack:
        begin: Since = webhook.start_at - EARLIER if last_offset is None else last_offset
        arriving = await stack.enter_async_context(open_stream(connection, begin))
        if last_offset is not None and not await skip_known(arriving, last_offset):
            arriving = await stack.enter_async_context(open_stream(connection, "first"))
        since = webhook.start_at if last_offset is None else None
        while True:
            delivery = await repository.next_open(context.pool, webhook.id)
            if delivery is None:
                delivery, body = await _form(webhook, context, arriving, since)
                since = None
            else:
                body = await _again(webhook, context, connection, delivery)
            if body and not await _deliver(webhook, context, delivery, body):
                return


async def _form(
    webhook: Webhook, context: DeliveryContext, arriving: StreamReader, since: datetime | None
) -> tuple[Delivery, bytes]:
    parts: list[Part] = []
    while not parts:
        parts = [part for part in await next_parts(arriving, webhook.tenant) if events_of([part], since)]
    events = events_of(parts)
    first, last = parts[0].offset, parts[-1].offset
    id_ = f"msg_{ids.of_content(str(webhook.id), first, last).replace('-', '')}"
    delivery = await repository.form(
        context.pool, webhook, context.holder, id_, len(events), first, last, context.clock()
    )
    if delivery is None:
        raise LeaseLost
    return delivery, body_of(events)


async def _again(webhook: Webhook, context: DeliveryContext, connection: Any, delivery: Delivery) -> bytes:
    """Return the body of what was formed before; nothing when the stream no longer has it."""
    parts = await parts_between(connection, webhook.tenant, delivery.first_offset, delivery.last_offset)
    if parts:
        return body_of(events_of(parts))
    log.error("webhook: the stream no longer has what was to be posted", webhook=webhook.name, delivery=delivery.id)
    await repository.lost(context.pool, webhook.id, delivery.id, context.clock())
    return b""


async def _deliver(webhook: Webhook, context: DeliveryContext, delivery: Delivery, body: bytes) -> bool:
    """Post until it is delivered or given up; return whether the webhook still goes."""
    attempts, due = delivery.attempts, delivery.due_at
    skipped = await repository.last_was_skipped(context.pool, webhook.id)
    while True:
        await asyncio.sleep(max(0.0, (due - context.clock()).total_seconds()))
        secrets = webhook.secrets(context.clock())
        answer = await context.sender.post(webhook.url, delivery.id, body, secrets)
        attempts += 1
        chance = random.random()  # noqa: S311 - no secret
        decision = decide(attempts, answer, context.clock(), chance, skipped=skipped)
        WEBHOOK_POSTS.labels(type(decision).__name__.lower()).inc()
        async with context.uow_factory.begin() as work:
            await repository.tried(work.connection, webhook.id, delivery, answer, decision, context.clock())
            if isinstance(decision, Disable) and await repository.disable(
                work.connection, webhook.id, decision.why, context.clock()
            ):
                work.emit(_disabled(webhook, delivery, decision.why, context.clock()))
                log.error("webhook disabled", webhook=webhook.name, tenant=webhook.tenant, why=decision.why)
        if isinstance(decision, Skip):
            log.error("webhook: a message is skipped", webhook=webhook.name, delivery=delivery.id, why=decision.why)
        if not isinstance(decision, Again):
            return not isinstance(decision, Disable)
        log.warning("webhook: not delivered", webhook=webhook.name, attempt=attempts, problem=answer.problem)
        due = decision.at


def _disabled(webhook: Webhook, delivery: Delivery, why: str, now: datetime) -> Any:
    data = WebhookDisabled(name=webhook.name, why=why, time=now)
    return new_event(data, id=ids.of_content("webhook disabled", delivery.id, now), tenant=webhook.tenant)
