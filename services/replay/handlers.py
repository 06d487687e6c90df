"""Handlers: dead letters are kept, and what became of replayed ones is noted."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from returpost.contracts import (
    AddressErased,
    ConsumerDrained,
    ConsumerPaused,
    ConsumerResumed,
    DeadLetterGroupOpened,
    ids,
)
from returpost.contracts.addresses import key
from returpost.contracts.cloudevents import Event
from returpost.contracts.routing import PLATFORM
from services.replay.domain.batching import REPLAYER
from services.replay.domain.dead_letter import DeadLetter, ReplayOutcome
from services.replay.domain.selection import DeadLetterSelection
from services.replay.repository import audit, dead_letters, erasure, jobs
from services.replay.repository.dead_letters import Scope
from services.replay.repository.jobs import JobRequest, PartKey
from shared.database.pool import Connection
from shared.messaging.envelope import event_factory
from shared.messaging.replay_outcome import digest
from shared.messaging.unit_of_work import UnitOfWork

new_event = event_factory("replay")
MAX_LABEL = 400
"""Of what a dead letter says of itself, characters that an event holds."""
_CONSUMER_ACTIONS = {ConsumerPaused.TYPE: "pause", ConsumerResumed.TYPE: "resume", ConsumerDrained.TYPE: "drain"}


async def keep_dead_letters(events: Sequence[Event[DeadLetter]], work: UnitOfWork) -> None:
    """Keep each dead letter once. One that came of a replay says that the one before failed again, whoever sent it: the
    broker reports nothing else of a message that it gives up.
    """
    await _tell_of_new_groups(events, work)
    await dead_letters.insert(work.connection, {event.id: event.data for event in events})
    await _give_second_chance(work.connection, events)
    reported = _by_part((event.data.replay_part, [digest(event.data.body)]) for event in events)
    await _record(work.connection, reported, complete=False)


async def _tell_of_new_groups(events: Sequence[Event[DeadLetter]], work: UnitOfWork) -> None:
    """Say which failures are new: no dead letter of their fingerprint is dead."""
    first = {event.data.fingerprint: event for event in reversed(events) if event.data.fingerprint}
    for fingerprint in await dead_letters.new_fingerprints(work.connection, sorted(first)):
        event = first[fingerprint]
        data = DeadLetterGroupOpened(
            fingerprint=fingerprint[:MAX_LABEL],
            queue=event.data.queue[:MAX_LABEL],
            error=event.data.error_type[:MAX_LABEL],
            dead_letter=event.id,
            time=event.data.failed_at,
        )
        work.emit(new_event(data, id=ids.derived(event.id, data.TYPE), tenant=PLATFORM))


async def _give_second_chance(connection: Connection, events: Sequence[Event[DeadLetter]]) -> None:
    """Replay what was quarantined for the first time, each event by itself."""
    again = sorted({UUID(event.id) for event in events if event.data.quarantined and event.data.attempt == 1})
    if again:
        selection = DeadLetterSelection(ids=again)
        job = JobRequest(id=uuid4(), kind="replay", selection=selection, by=REPLAYER, why="a second chance")
        await jobs.insert(connection, job)
        total = await dead_letters.freeze(
            connection, job.id, Scope(state="dead"), selection, obstacles=[""], kinds=None
        )
        await jobs.set_total(connection, job.id, total)


async def record_outcomes(events: Sequence[Event[ReplayOutcome]], work: UnitOfWork) -> None:
    """Note which dead letters are processed, and which failed again.

    A part may be reported twice: the first report counts, as the second is of a repeat that had no effect.
    """
    reported = _by_part(item for event in events for item in event.data.parts.items())
    await _record(work.connection, reported, complete=True)


async def audit_consumers(
    events: Sequence[Event[ConsumerPaused] | Event[ConsumerResumed] | Event[ConsumerDrained]], work: UnitOfWork
) -> None:
    """Note in the audit which queues operators paused, resumed and drained."""
    for event in events:
        data = event.data
        details = {"messages": data.messages} if isinstance(data, ConsumerDrained) else {}
        action = _CONSUMER_ACTIONS[event.type]
        await audit.insert(
            work.connection, action, data.queue, who=data.by, tenant=None, why=data.why, details=details,
            event=event.id,
        )  # fmt: skip


async def erase_addresses(events: Sequence[Event[AddressErased]], work: UnitOfWork) -> None:
    """Remove erased addresses from the dead letters."""
    await erasure.erase(work.connection, {(event.tenant, key(event.data.address)) for event in events})


async def _record(connection: Connection, reported: dict[PartKey, set[str]], *, complete: bool) -> None:
    """`complete`: whatever of a part did not fail is processed."""
    if not reported:
        return
    known = await jobs.part_digests(connection, sorted(reported, key=_order))
    failed = [
        (key, one)
        for key, digests in known.items()
        # Bytes that nobody knows: which of them failed cannot be said, so none is called processed.
        for one in sorted(min(reported[key], digests))
    ]
    failures = await jobs.end_parts(connection, failed, "failed")
    processed: dict[UUID, int] = {}
    if complete:
        archived = {key: len(reported[key]) for key in sorted(reported.keys() - known.keys(), key=_order)}
        await jobs.end_archive_parts(connection, archived)
        processed = await jobs.end_parts(connection, [(key, None) for key in known], "processed")
        await jobs.note_outcomes(connection, list(known))
    for job in sorted({*failures, *processed}):
        await jobs.count_outcomes(connection, job, processed=processed.get(job, 0), failed=failures.get(job, 0))


def _by_part(reports: Iterable[tuple[str, Iterable[str]]]) -> dict[PartKey, set[str]]:
    found: dict[PartKey, set[str]] = {}
    for name, failed in reports:
        job, _, part = name.partition("/")
        try:
            key = PartKey(UUID(job), int(part))
        except ValueError:
            continue
        if 0 <= key.part < 2**31:
            found.setdefault(key, set()).update(failed)
    return found


def _order(key: PartKey) -> tuple[UUID, int]:
    return key.job, key.part
