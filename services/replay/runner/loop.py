"""Takes the next part of whichever job is due. Jobs run side by side: none waits for a slow one."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from returpost.amqp.publisher import Publishes
from services.replay.repository import jobs
from services.replay.runner.archive import run_archive_part
from services.replay.runner.dead_letters import run_replay_part, run_state_part
from services.replay.runner.whole_archive import WholeArchive
from shared.database.pool import Pool
from shared.transient_errors import is_infrastructure

IDLE_SECONDS = 0.2

log = structlog.get_logger()


async def run_part(pool: Pool, publisher: Publishes, archive: WholeArchive, keys: Sequence[str]) -> bool:
    """Do the next part of a job that is due; tells whether there was one. Raises what the infrastructure raises.

    `keys` are those of the tokens.
    """
    identity: UUID | None = None
    try:
        async with pool.acquire() as connection, connection.transaction():
            job = await jobs.lock_next(connection)
            if job is None:
                return False
            identity = job.id
            match job.kind:
                case "archive":
                    await run_archive_part(pool, publisher, archive, job, keys)
                case "replay":
                    await run_replay_part(pool, publisher, job)
                case _:
                    await run_state_part(pool, job)
    except Exception as error:
        if identity is None or is_infrastructure(error):
            raise
        # A job that can never be done must not keep the others waiting.
        log.warning("job failed", job=str(identity), error=type(error).__name__)
        await jobs.end(pool, identity, "failed", f"{type(error).__name__}: {error}")
    return True
