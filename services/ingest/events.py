"""Every event and command that ingest publishes gets its envelope here, and results get their routing keys."""

from collections.abc import Iterable

from returpost.bounces.events.results import Derived
from returpost.contracts import DeliveryRecorded
from shared.messaging.envelope import encoder, event_factory, source_of
from shared.messaging.unit_of_work import UnitOfWork

SOURCE = source_of("ingest")

new_event = event_factory("ingest")
new_encoded_event = encoder("ingest")


def emit_results(work: UnitOfWork, tenant: str, derived: Iterable[Derived]) -> None:
    """Publish what follows from results with the transaction, whichever way they came in.

    The routing key of a `delivery.recorded` ends in the result that it tells itself: after a sending to an address of
    the simulator that is another one than what was handed in.
    """
    for id_, data in derived:
        event = new_encoded_event(data, id=id_, tenant=tenant, subject=data.mailing)
        work.emit(event, data.result if isinstance(data, DeliveryRecorded) else None)
