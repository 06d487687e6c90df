"""Handlers: dead letters are kept."""

from collections.abc import Sequence

from returpost.contracts.cloudevents import Event
from services.replay.domain.dead_letter import DeadLetter
from services.replay.repository import dead_letters
from shared.messaging.unit_of_work import UnitOfWork


async def keep_dead_letters(events: Sequence[Event[DeadLetter]], work: UnitOfWork) -> None:
    """Keep each dead letter once."""
    await dead_letters.insert(work.connection, {event.id: event.data for event in events})
