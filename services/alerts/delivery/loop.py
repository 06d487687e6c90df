"""Messages on their way: formed of what is due, sent, and tried again until they are given up."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from returpost.amqp.tasks import cancel_and_wait
from returpost.contracts import ids
from services.alerts.delivery.transport import Transport
from services.alerts.domain.alert import Alert
from services.alerts.domain.channel import Channel
from services.alerts.domain.schedule import BURST_TIME, next_message, pause_after
from services.alerts.repository import alerts as alert_rows, outbox
from services.alerts.repository.outbox import Message
from shared.database.pool import Pool
from shared.messaging.unit_of_work import UnitOfWorkFactory
from shared.observability.metrics import ALERT_MESSAGES
from shared.outbound.answer import NO_ANSWER, Answer

AT_ONCE: Final = 16
"""Messages that a process sends at the same time: a receiver that hangs holds up no other."""
LEASE: Final = timedelta(minutes=2)
"""How long after a crash a message is tried again: longer than any attempt may take."""
PRUNE_EVERY: Final = timedelta(hours=1)

log = structlog.get_logger()


class DeliveryLoop:
    """Sends what is due, some messages at a time."""

    def __init__(
        self, pool: Pool, uow_factory: UnitOfWorkFactory, transport: Transport, clock: Callable[[], datetime]
    ) -> None:
        self._pool, self._uow_factory, self._transport, self._clock = pool, uow_factory, transport, clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._pruned_at: datetime | None = None

    async def run(self, raised: asyncio.Event, interval: timedelta, keep: timedelta) -> None:
        """Send whenever something was raised, and from time to time, until cancelled."""
        try:
            while True:
                raised.clear()
                await self.round(keep)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(raised.wait(), interval.total_seconds())
        finally:
            await cancel_and_wait(*self._tasks)

    async def round(self, keep: timedelta) -> None:
        """Form messages of what is due, and begin to send as many as there is room for."""
        now = self._clock()
        await self._prune(now, keep)
        await form_messages(self._uow_factory, now)
        room = AT_ONCE - len(self._tasks)
        for message in await outbox.lease(self._pool, now, LEASE, room) if room > 0 else ():
            task = asyncio.create_task(self._send(message), name=f"alert message {message.id}")
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("sending alerts failed, and is tried again", exc_info=error)

    async def _send(self, message: Message) -> None:
        channel, alerts = await outbox.read(self._pool, message)
        if channel is None:
            return
        answer = await self._answer(channel, alerts, message) if alerts else Answer(NO_ANSWER, "its alerts are gone")
        now = self._clock()
        if answer.good:
            state, due = "sent", None
        else:
            chance = random.random()  # noqa: S311 - no secret
            pause = pause_after(message.attempts + 1, answer.retry_after, chance) if alerts else None
            state, due = ("failed", None) if pause is None else ("open", now + pause)
            log.warning("alerts: not sent", channel=channel.name, tenant=channel.tenant, state=state)
        ALERT_MESSAGES.labels(channel.kind.value, {"open": "again"}.get(state, state)).inc()
        await outbox.tried(self._pool, message.id, state, answer.problem, due, now)

    async def _answer(self, channel: Channel, alerts: Sequence[Alert], message: Message) -> Answer:
        """Send; a message that cannot be written is an attempt that failed, and not tried for ever."""
        try:
            return await self._transport.send(channel, alerts, message.id, message.formed_at)
        except (ValueError, TypeError, LookupError) as error:
            log.exception("a message with alerts could not be written", message=message.id, channel=channel.name)
            return Answer(NO_ANSWER, f"could not be written: {type(error).__name__}")

    async def _prune(self, now: datetime, keep: timedelta) -> None:
        if self._pruned_at is None or now - self._pruned_at > PRUNE_EVERY:
            self._pruned_at = now
            await alert_rows.prune(self._pool, now - keep)


async def form_messages(uow_factory: UnitOfWorkFactory, now: datetime) -> None:
    """Form a message for each channel that something is due for, unless it has had many lately."""
    async with uow_factory.begin() as work:
        for channel in await outbox.lock_due(work.connection, now):
            formed = await outbox.formed_since(work.connection, channel, now - BURST_TIME)
            if next_message(formed, now) > now:
                continue
            alerts = await outbox.waiting(work.connection, channel, now)
            id_ = f"msg_{ids.of_content(str(channel), *alerts).replace('-', '')}"
            await outbox.form(work.connection, id_, channel, alerts, now)
