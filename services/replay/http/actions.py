"""HTTP: plan, then replay, discard or restore dead letters."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from returpost.contracts import Text, Title
from services.replay.domain.event_facts import NO_QUEUE
from services.replay.domain.plan import Count, Feasible, Impossible, TargetQueue, feasible
from services.replay.domain.selection import DeadLetterSelection
from services.replay.http.dependencies import Asking, Asks
from services.replay.queue_depths import depths
from services.replay.repository import dead_letters, jobs
from services.replay.repository.dead_letters import Scope
from services.replay.repository.jobs import JobRequest
from services.replay.repository.rows import PlanRow
from services.replay.runner.dead_letters import STATES
from shared.database.pool import Pool
from shared.http.dependencies import Database

router = APIRouter(prefix="/v1", tags=["dead letters"])
Action = Literal["replay", "discard", "restore"]


class DeadLetterJobRequest(BaseModel):
    """A selection, why, and how to go about it."""

    model_config = ConfigDict(extra="forbid")

    selection: DeadLetterSelection
    why: Title = Field(default="", description="Why; it is kept in the audit")
    id: UUID | None = Field(default=None, description="Id of the job: the same request once more starts no second")
    rate: int = Field(default=0, ge=0, le=100_000, description="Dead letters per second; 0: no limit")
    canary: int = Field(default=3, ge=0, le=1_000, description="How many must be processed before the rest is sent")
    slow_start: bool = Field(default=True, description="Begin with 1, 2, 5, ... a second")
    stop_after: int | None = Field(
        default=0, ge=0, description="How many may fail again before the job pauses; null: any number"
    )
    into: Text | None = Field(default=None, description="Another queue that takes the type; null: where each failed")
    confirm: int | None = Field(default=None, description="How many the plan counted, when it wants a confirmation")

    @model_validator(mode="after")
    def _whole(self) -> "DeadLetterJobRequest":
        if self.into == "":
            raise ValueError("into: name a queue, or leave it out")
        return self


class CountOf(BaseModel):
    """How many there are of something."""

    name: str
    count: int


class SelectedGroup(BaseModel):
    """Selected dead letters of one queue that failed alike."""

    queue: str
    fingerprint: str
    count: int
    error: str


class DeadLetterPlan(BaseModel):
    """What an action would do; nothing is changed by it."""

    action: Action
    dead_letters: int
    """How many it would do."""
    without_queue: int
    """Selected ones that never reached a queue: they can only be replayed into a queue that is named."""
    impossible: list[Impossible]
    """What it leaves as it is, and why."""
    targets: list[TargetQueue]
    groups: list[SelectedGroup]
    types: list[CountOf]
    tenants: list[CountOf]
    sample: list[UUID]
    confirm: int | None
    """To be given with the request, as there are many; null: no confirmation is needed."""


class DeadLetterJobStarted(BaseModel):
    """The job that was started, or had been by the same request."""

    job: UUID
    dead_letters: int


async def _limit(request: Request) -> int:
    limit: int = request.app.state.service.settings.confirm_above
    return limit


Limit = Annotated[int, Depends(_limit)]


@router.post("/dead-letters/plan")
async def plan(
    request: Request,
    pool: Database,
    asking: Asks,
    limit: Limit,
    wanted: DeadLetterJobRequest,
    action: Action = "replay",
) -> DeadLetterPlan:
    """Count what an action would do, by queue and failure, type and tenant; say what it cannot do and why."""
    scope = Scope(asking.tenant, STATES[action][0])
    rows = await dead_letters.plan(pool, scope, wanted.selection)
    can = await _feasible(request, action, wanted, rows)
    types: dict[str, int] = {}
    for row in rows:
        if row.of_obstacle:
            types[row.event_type or ""] = types.get(row.event_type or "", 0) + row.count
    return DeadLetterPlan(
        action=action,
        dead_letters=can.dead_letters,
        without_queue=next((one.count for one in can.impossible if one.why == NO_QUEUE), 0),
        impossible=can.impossible,
        targets=can.targets,
        groups=[
            SelectedGroup(queue=r.queue or "", fingerprint=r.fingerprint or "", count=r.count, error=r.error)
            for r in rows
            if r.of_group
        ],
        types=[CountOf(name=name, count=count) for name, count in sorted(types.items(), key=lambda item: -item[1])],
        tenants=[CountOf(name=r.tenant or "", count=r.count) for r in rows if r.of_tenant],
        sample=await dead_letters.sample(pool, scope, wanted.selection),
        confirm=can.dead_letters if can.dead_letters > limit else None,
    )


@router.post("/dead-letters/{action}", status_code=202)
async def act(
    request: Request, pool: Database, asking: Asks, limit: Limit, action: Action, wanted: DeadLetterJobRequest
) -> DeadLetterJobStarted:
    """Start a job over what is selected now: the set is frozen.

    A replay sends a canary first, then slowly more, and pauses when one fails again. HTTP 409 when the plan wants a
    confirmation and `confirm` is not what there is.
    """
    scope = Scope(asking.tenant, STATES[action][0])
    can = await _feasible(request, action, wanted, await dead_letters.plan(pool, scope, wanted.selection))
    if can.dead_letters > limit and wanted.confirm is None:
        raise HTTPException(409, f"{can.dead_letters} dead letters: confirm the number (`confirm`)")
    if wanted.confirm not in (None, can.dead_letters):
        raise HTTPException(409, f"there are {can.dead_letters} dead letters by now, not {wanted.confirm}: plan anew")
    return await _start(pool, asking, scope, action, wanted, can)


async def _feasible(request: Request, action: Action, wanted: DeadLetterJobRequest, rows: list[PlanRow]) -> Feasible:
    counts = [
        Count(r.queue or "", r.event_type or "", r.obstacle or "", r.count, r.exchange or "", r.routing_key or "")
        for r in rows
        if r.of_obstacle
    ]
    if action != "replay":
        return Feasible(sum(one.count for one in counts), [], [], [])
    names = sorted({wanted.into} if wanted.into else {one.queue for one in counts} - {""})
    waiting = await depths(await request.app.state.service.broker.consuming.connection(), names)
    gone = [name for name, depth in waiting.items() if depth is None]
    found = feasible(counts, into=wanted.into, gone=gone)
    targets = [replace(target, waiting=waiting.get(target.queue)) for target in found.targets]
    return replace(found, targets=targets)


async def _start(
    pool: Pool, asking: Asking, scope: Scope, action: Action, wanted: DeadLetterJobRequest, can: Feasible
) -> DeadLetterJobStarted:
    replays = action == "replay"
    job = JobRequest(
        id=wanted.id or uuid4(),
        kind=action,
        selection=wanted.selection,
        by=asking.caller.name,
        tenant=asking.tenant if not asking.of_all else None,
        why=wanted.why,
        rate=wanted.rate,
        into=wanted.into if replays else None,
        canary=wanted.canary if replays else 0,
        slow_start=wanted.slow_start and replays,
        stop_after=wanted.stop_after,
    )
    async with pool.acquire() as connection, connection.transaction():
        if not await jobs.insert(connection, job):
            known = await jobs.get(connection, job.id, job.tenant)
            if known is None:
                raise HTTPException(409, f"job {job.id} is another operator's")
            return DeadLetterJobStarted(job=known.id, dead_letters=known.total)
        total = await dead_letters.freeze(
            connection,
            job.id,
            scope,
            wanted.selection,
            obstacles=(["", NO_QUEUE] if wanted.into else [""]) if replays else None,
            kinds=can.kinds if replays and wanted.into else None,
        )
        await jobs.set_total(connection, job.id, total)
        await asking.audit(
            connection, action, f"job {job.id}", wanted.why, dead_letters=total,
            selection=wanted.selection.stored().model_dump(mode="json", exclude_none=True),
        )  # fmt: skip
    return DeadLetterJobStarted(job=job.id, dead_letters=total)
