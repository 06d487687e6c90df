"""Jobs over dead letters: replay, discard, restore.

A replay takes a part in a transaction, publishes it, and notes the confirms in another: what a crash leaves in between
is sent again, and recognised by its ids. What becomes of it its consumer reports (`handlers.record_outcomes`).
"""

from collections.abc import Sequence

from returpost.amqp.publisher import Publishes
from services.replay.domain.batching import REPLAYER, Part, split_into_parts
from services.replay.domain.rate import MAX_PART, Progress, next_part
from services.replay.domain.selection import reports_outcome
from services.replay.repository import dead_letters, jobs
from services.replay.repository.jobs import Job, PartKey
from shared.database.pool import Pool
from shared.messaging.dead_letters import REPLAY_PART

STATES = {
    "replay": ("dead", "pending"),
    "discard": ("dead", "discarded"),
    "restore": ("discarded", "dead"),
}
"""The state that a job takes dead letters from, and the one that it leaves them in."""


async def run_replay_part(pool: Pool, publisher: Publishes, job: Job) -> None:
    """Send what a crash may have left, else the next part of a job; end it behind the last."""
    async with pool.acquire() as connection, connection.transaction():
        left, heard = await dead_letters.unsent(connection, job.id)
        await jobs.parts_sent(connection, job.id, heard)
    if left:
        await _publish(pool, publisher, job, left)
        return
    progress = Progress(job.position, job.pending, job.stage)
    pace = next_part(progress, canary=job.canary, slow_start=job.slow_start, rate=job.rate)
    async with pool.acquire() as connection, connection.transaction():
        if job.position >= job.total:
            await jobs.sent_all(connection, job.id)
            return
        end = min(job.total, job.position + pace.count)
        taken = await dead_letters.take(connection, job.id, job.position, end - job.position, "dead")
        sendable = sorted(
            (one for one in taken if (job.into_queue or one.queue) not in job.missing), key=lambda one: one.position
        )
        parts = split_into_parts(sendable, job.parts + 1, job.into_queue, alone=job.requested_by == REPLAYER)
        skipped = set(range(job.position + 1, end + 1)) - {one.position for one in sendable}
        await dead_letters.set_state(connection, [one.id for one in sendable], "pending", job.requested_by)
        await jobs.take(connection, job.id, parts, sorted(skipped))
        await jobs.advance(
            connection,
            job.id,
            end,
            parts=len(parts),
            pending=len(sendable),
            skipped=len(skipped),
            stage=pace.stage,
            wait=pace.seconds,
        )
    await _publish(pool, publisher, job, parts)


async def _publish(pool: Pool, publisher: Publishes, job: Job, parts: Sequence[Part]) -> None:
    if not parts:
        return
    messages = [part.message(job.id) for part in parts]
    returned = {message.headers[REPLAY_PART] for message in await publisher.publish(messages)}
    gone = [part for part, message in zip(parts, messages, strict=True) if message.headers[REPLAY_PART] in returned]
    sent = [part for part in parts if part not in gone]
    async with pool.acquire() as connection, connection.transaction():
        if gone:
            queues = sorted({part.queue for part in gone})
            await jobs.unroutable(connection, job.id, [part.number for part in gone], queues)
        await jobs.parts_sent(connection, job.id, [part.number for part in sent])
        silent = [(PartKey(job.id, part.number), None) for part in sent if not reports_outcome(part.queue)]
        if silent:
            ended = await jobs.end_parts(connection, silent, "replayed")
            await jobs.count_outcomes(connection, job.id, delivered=sum(ended.values()))


async def run_state_part(pool: Pool, job: Job) -> None:
    """Discard or restore the next part of a job; end it behind the last."""
    before, after = STATES[job.kind]
    async with pool.acquire() as connection, connection.transaction():
        if job.position >= job.total:
            await jobs.sent_all(connection, job.id)
            return
        end = min(job.total, job.position + MAX_PART)
        taken = await dead_letters.take(connection, job.id, job.position, end - job.position, before)
        done = {one.position for one in taken}
        skipped = set(range(job.position + 1, end + 1)) - done
        await dead_letters.set_state(connection, [one.id for one in taken], after, job.requested_by)
        await jobs.mark_done(connection, job.id, sorted(done), sorted(skipped))
        await jobs.advance(connection, job.id, end, skipped=len(skipped), done=len(done), stage=job.stage, wait=0.0)
