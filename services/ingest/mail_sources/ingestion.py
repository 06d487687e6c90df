"""Where every way in brings its mails: what `take` has returned from is safe in RabbitMQ, events and original."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from prometheus_client import Counter

from returpost.amqp.publisher import Message
from returpost.bounces.events.mails import MailRead, read_mail
from returpost.contracts import RawOutcome
from returpost.contracts.cloudevents import EncodedEvent
from services.ingest.events import emit_results
from services.ingest.raw_messages.domain import RawMessage, store_command
from shared.messaging.dead_letters import dead_letter, publish_or_dead_letter
from shared.pacing import paced
from shared.service import Service

T = TypeVar("T")

MAX_MAIL = 10 * 1024 * 1024
"""Bytes of a mail; deflated and in Base64 it still fits into a message."""
LARGE = 64 * 1024
"""Bytes from which on a mail may take longer to read than others should wait."""
MAX_LARGE = 2
"""Such mails that are read at a time."""
CONTENT_TYPE = "message/rfc822"

MAILS = Counter("returpost_mails_total", "Mails that came in, by what could be made of them", ["outcome"])
"""outcome: a kind of report; no-recipient (a report on nobody that it names); no-report; unreadable."""


class MailIngestion:
    """Reads mails and hands on what they tell."""

    def __init__(self, service: Service[Any], *, keeps: bool) -> None:
        """`keeps`: whether the originals are kept."""
        self._service = service
        self._keeps = keeps
        self._threads = asyncio.Semaphore(MAX_LARGE)

    async def take(
        self,
        body: bytes,
        *,
        tenant: str,
        sender: str | None,
        source: str,
        sent_to: Sequence[str] = (),
        stream: str | None = None,
    ) -> MailRead:
        """Take a mail in and return what was found. Taking it again does no harm: the same bytes have the same ids.

        `sent_to` are the addresses that it was received for. One in which nothing is recognised goes to the dead
        letters with its bytes, and is kept as unreadable. Raises `Unavailable` when RabbitMQ did not confirm: then the
        mail is not taken.
        """
        paths = self._service.app.state.return_paths.of(tenant)
        now = datetime.now(UTC)

        def work_out() -> tuple[MailRead, EncodedEvent | None]:
            read = read_mail(body, tenant=tenant, sender=sender, now=now, paths=paths, sent_to=sent_to, stream=stream)
            outcome = RawOutcome.UNREADABLE if read.problem else RawOutcome.READ
            arrived = RawMessage(body, tenant, source, CONTENT_TYPE, outcome, read.problem or "")
            return read, store_command(arrived, read.events, read.identity) if self._keeps else None

        read, kept = await self._beside(work_out) if len(body) > LARGE else work_out()
        if read.problem:
            await publish_or_dead_letter(self._service.publisher, [letter_of(read, body, tenant)])
        async with self._service.uow_factory.begin() as work:
            async for event in paced(read.events):
                emit_results(work, tenant, [event])
            if kept is not None:
                work.command(kept)
        MAILS.labels(read.outcome).inc()
        return read

    async def _beside(self, work_out: Callable[[], T]) -> T:
        """Do it in a thread: a large mail would hold up everybody else."""
        async with self._threads:
            return await asyncio.to_thread(work_out)


def letter_of(read: MailRead, body: bytes, tenant: str) -> Message:
    """Return the dead letter that keeps a mail that nothing could be made of, with its exact bytes."""
    return dead_letter(
        body,
        queue="",
        exchange="",
        routing_key=f"bounce-mail.{tenant}",
        content_type="message/rfc822",
        headers={},
        error=read.problem or "mail: kept",
    )
