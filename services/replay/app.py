"""Replay: dead letters and the event archive; look, group, replay, audit."""

import asyncio
from datetime import UTC, datetime
from typing import get_args

from returpost.contracts import AddressErased, ConsumerDrained, ConsumerPaused, ConsumerResumed, DeadLetterGroupOpened
from returpost.contracts.routing import DEAD, DEAD_LETTERS, OUTCOMES, PARKED, REPLAY_OUTCOMES
from services.replay.domain.dead_letter import DeadLetter, ReplayOutcome
from services.replay.domain.selection import State
from services.replay.handlers import audit_consumers, erase_addresses, keep_dead_letters, record_outcomes
from services.replay.http import actions, archive, audit, dead_letters, edit, jobs, queue_files, trace
from services.replay.message_reader import read_dead_letter, read_outcome
from services.replay.queue_depths import depths
from services.replay.repository import dead_letters as dead_letter_rows, jobs as job_rows
from services.replay.runner.loop import IDLE_SECONDS, run_part
from services.replay.runner.segment_writer import write_segment
from services.replay.runner.segments import Segments
from services.replay.runner.whole_archive import WholeArchive
from services.replay.settings import Settings
from shared.observability.metrics import DEAD_LETTERS as DEAD_LETTERS_KEPT, REPLAYS_PAUSED
from shared.service import Service, run

PURGE_SECONDS = 600
MEASURE_SECONDS = 15
SEGMENT_SECONDS = 60
"""Between two looks at whether a segment of the archive is due."""


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("replay", settings, description=__doc__ or "")

    segments = Segments(settings.archive_folder) if settings.archive_folder else None

    async def archive_reader() -> WholeArchive:
        return WholeArchive(await service.broker.consuming.connection(), segments)

    async def run_jobs() -> None:
        keys = service.app.state.token_keys
        if not await run_part(service.pool, service.publisher, await archive_reader(), keys):
            await asyncio.sleep(IDLE_SECONDS)

    async def write_segments() -> None:
        if not await write_segment(service.pool, await archive_reader(), settings.archive_keep):
            await asyncio.sleep(SEGMENT_SECONDS)

    async def purge() -> None:
        await dead_letter_rows.purge(service.pool, datetime.now(UTC) - settings.keep)
        await asyncio.sleep(PURGE_SECONDS)

    async def measure() -> None:
        counts = await dead_letter_rows.count_by_state(service.pool)
        for state in get_args(State):
            DEAD_LETTERS_KEPT.labels(state).set(counts.get(state, 0))
        parked = (await depths(await service.broker.consuming.connection(), [PARKED]))[PARKED]
        DEAD_LETTERS_KEPT.labels("parked").set(parked or 0)
        REPLAYS_PAUSED.set(await job_rows.count_paused(service.pool))
        await asyncio.sleep(MEASURE_SECONDS)

    service.consume_raw(DEAD_LETTERS, DeadLetter, keep_dead_letters, read_dead_letter, exchange=DEAD)
    service.consume_raw(OUTCOMES, ReplayOutcome, record_outcomes, read_outcome, exchange=REPLAY_OUTCOMES)
    service.consume("replay.address-erased", AddressErased, erase_addresses, required_for_readiness=False)
    service.consume("replay.consumer-paused", ConsumerPaused, audit_consumers, required_for_readiness=False)
    service.consume("replay.consumer-resumed", ConsumerResumed, audit_consumers, required_for_readiness=False)
    service.consume("replay.consumer-drained", ConsumerDrained, audit_consumers, required_for_readiness=False)
    service.publishes(DeadLetterGroupOpened, "dead-letter-group.opened.{tenant}")
    service.background("jobs", run_jobs)
    service.background("purge", purge)
    service.background("metrics", measure)
    if segments:
        service.background("segments", write_segments)
    service.app.state.archive_reader = archive_reader
    for room in (dead_letters, edit, actions, archive, jobs, audit, queue_files, trace):
        service.routes(room.router)
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "replay")


if __name__ == "__main__":
    main()
