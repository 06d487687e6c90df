"""Replay: dead letters and the event archive; look, group, replay, audit."""

import asyncio
from datetime import UTC, datetime

from returpost.contracts.routing import DEAD, DEAD_LETTERS
from services.replay.domain.dead_letter import DeadLetter
from services.replay.handlers import keep_dead_letters
from services.replay.http import archive, dead_letters, jobs
from services.replay.job_runner import IDLE_SECONDS, run_part
from services.replay.message_reader import read_dead_letter
from services.replay.repository import dead_letters as dead_letter_rows
from services.replay.settings import Settings
from shared.service import Service, run

PURGE_SECONDS = 600


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("replay", settings, description=__doc__ or "")

    async def run_jobs() -> None:
        if not await run_part(service.pool, service.publisher, await service.broker.consuming.connection()):
            await asyncio.sleep(IDLE_SECONDS)

    async def purge() -> None:
        await dead_letter_rows.purge(service.pool, datetime.now(UTC) - settings.keep)
        await asyncio.sleep(PURGE_SECONDS)

    service.consume_raw(DEAD_LETTERS, DeadLetter, keep_dead_letters, read_dead_letter, exchange=DEAD)
    service.background("jobs", run_jobs)
    service.background("purge", purge)
    for room in (dead_letters, archive, jobs):
        service.routes(room.router)
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "replay")


if __name__ == "__main__":
    main()
