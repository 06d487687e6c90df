"""A service that a certain event kills, as a crash in a C library or the kernel would."""

import os
import signal
from collections.abc import Sequence

from returpost.contracts import DeliveryRecorded
from returpost.contracts.cloudevents import Event
from shared.messaging.unit_of_work import UnitOfWork
from shared.service import Service, run
from shared.settings import ServiceSettings

QUEUE = "classifier.delivery-recorded"
DEADLY = "deadly"


async def take(events: Sequence[Event[DeliveryRecorded]], work: UnitOfWork) -> None:
    """Note each event once; die of a deadly one."""
    if any(event.data.mailing == DEADLY for event in events):
        os.kill(os.getpid(), signal.SIGKILL)
    ids = sorted({event.id for event in events})
    await work.connection.execute("INSERT INTO probe SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING", ids)


def create(settings: ServiceSettings) -> Service[ServiceSettings]:
    """Wire the service."""
    service = Service("classifier", settings, description="dies of some events")
    service.consume(QUEUE, DeliveryRecorded, take)
    return service


if __name__ == "__main__":
    run(create, ServiceSettings, "classifier")
