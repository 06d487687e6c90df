"""Handlers: dead letters are kept."""

from collections.abc import Sequence
from uuid import UUID

from returpost.contracts.cloudevents import Event
from services.replay.domain.dead_letter import DeadLetter
from services.replay.domain.selection import DeadLetterSelection
from services.replay.repository import dead_letters, jobs
from shared.messaging.unit_of_work import UnitOfWork

REPLAYER = "quarantine"
"""Who requests the second chance of what was quarantined."""


async def keep_dead_letters(events: Sequence[Event[DeadLetter]], work: UnitOfWork) -> None:
    """Keep each dead letter once. What was quarantined for the first time is replayed, each event by itself."""
    await dead_letters.insert(work.connection, {event.id: event.data for event in events})
    again = {UUID(event.id) for event in events if event.data.quarantined and event.data.attempt == 1}
    if again:
        selection = DeadLetterSelection(ids=sorted(again))
        await jobs.insert(work.connection, "replay", selection, by=REPLAYER, total=len(again), rate=0)
