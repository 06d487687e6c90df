"""Delivery results that senders publish."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from returpost.bounces.events.results import events_of
from returpost.contracts import DeliveryResult
from returpost.contracts.cloudevents import Event
from returpost.errors import InvalidMessage
from services.ingest.events import emit_results
from shared.clock import check_not_in_future
from shared.messaging.unit_of_work import UnitOfWork


async def handle_results(
    events: Sequence[Event[DeliveryResult]], work: UnitOfWork, *, clock_tolerance: timedelta
) -> None:
    """Publish each result normalised; one from the future is refused."""
    now = datetime.now(UTC)
    for event in events:
        try:
            check_not_in_future(event.data.time, now, clock_tolerance)
        except InvalidMessage as error:
            work.refuse(event, str(error))
            continue
        emit_results(work, event.tenant, events_of(event))
