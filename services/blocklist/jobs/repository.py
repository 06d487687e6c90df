"""The SQL of background jobs: any process takes up the next one."""

import json
from datetime import datetime
from pathlib import Path
from uuid import UUID

from asyncpg import Record

from services.blocklist.jobs.domain import Job, JobKind, JobParameters, JobRequest, JobStep
from shared.database.pool import Connection, Pool
from shared.database.queries import queries

Q = queries(Path(__file__).with_name("repository.sql"))


async def add(connection: Connection | Pool, request: JobRequest) -> None:
    """Have a job done."""
    parameters = request.parameters.model_dump_json(exclude_unset=True)
    row = (request.tenant, request.kind, parameters, request.by, request.note, request.time)
    await connection.execute(Q["add"], UUID(request.id), *row)


async def supersede(connection: Connection, tenant: str, kind: JobKind, now: datetime) -> bool:
    """End what is not done of a kind; return whether there was any."""
    ended: str = await connection.execute(Q["supersede"], tenant, kind, now)
    return ended != "UPDATE 0"


async def take(connection: Connection) -> Job | None:
    """Lock the oldest that no other process works on, until the transaction ends."""
    row = await connection.fetchrow(Q["take"])
    if row is None:
        return None
    read = {
        "id": str(row["id"]),
        "kind": JobKind(row["kind"]),
        "parameters": JobParameters.model_validate_json(row["parameters"]),
        "result": json.loads(row["result"]),
    }
    return Job(**{**row, **read})


async def advance(connection: Connection, job: Job, total: int, step: JobStep, now: datetime) -> None:
    """Keep what was done of a locked job."""
    result = json.dumps(step.result)
    await connection.execute(Q["advance"], UUID(job.id), step.after, total, step.done, step.blocked, step.freed, result)
    if step.last:
        await connection.execute(Q["finish"], UUID(job.id), now)


async def get(source: Connection | Pool, tenant: str, id_: UUID) -> Record | None:
    """Return one job of a tenant."""
    row: Record | None = await source.fetchrow(Q["get"], tenant, id_)
    return row


async def newest(
    source: Connection | Pool,
    tenant: str,
    kind: JobKind | None,
    before: tuple[datetime | None, UUID | None],
    limit: int,
) -> list[Record]:
    """Return the newest jobs of a tenant, of a kind and before a time and id if they are given."""
    rows: list[Record] = await source.fetch(Q["newest"], tenant, kind, *before, limit)
    return rows


async def count_decided(connection: Connection, tenant: str, seconds: float) -> int:
    """Return how many addresses of a tenant its settings decide on: those with history, and those that are blocked."""
    count: int = await connection.fetchval(Q["count_decided"], tenant, timeout=seconds)
    return count


async def next_decided(connection: Connection, tenant: str, after: str, limit: int) -> list[str]:
    """Return the next of them."""
    return [row["address"] for row in await connection.fetch(Q["next_decided"], tenant, after, limit)]
