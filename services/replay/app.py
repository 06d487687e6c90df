"""Replay: dead letters and the event archive; look, group, replay, audit."""

import asyncio
from datetime import UTC, datetime

from returpost.contracts.routing import DEAD, DEAD_LETTERS
from services.replay import api, jobs
from services.replay.letters import DeadLetter, Q, read, take_letters
from services.replay.settings import Settings
from shared.service import Service, run

PURGE_SECONDS = 600


def create(settings: Settings) -> Service[Settings]:
    """Wire the service."""
    service = Service("replay", settings, description=__doc__ or "")

    async def runner() -> None:
        connection = await service.broker.connect()
        if not await jobs.run_part(service.pool, service.publisher, connection):
            await asyncio.sleep(jobs.IDLE_SECONDS)

    async def purger() -> None:
        await service.pool.execute(Q["purge_letters"], datetime.now(UTC) - settings.keep)
        await asyncio.sleep(PURGE_SECONDS)

    service.consume_raw(DEAD_LETTERS, DeadLetter, take_letters, read, exchange=DEAD)
    service.background("jobs", runner)
    service.background("purge", purger)
    service.routes(api.router)
    return service


def main() -> None:
    """Run until told to stop."""
    run(create, Settings, "replay")


if __name__ == "__main__":
    main()
