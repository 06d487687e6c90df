"""HTTP for operators: look at what died, plan, then replay or discard; replay events of the archive."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from returpost.contracts import Text
from services.replay import jobs
from services.replay.letters import Q
from services.replay.selection import Archive, Letters, State
from shared.http.auth import Caller, requires

PLAN_PATIENCE = timedelta(seconds=20)

router = APIRouter(prefix="/v1", tags=["replay"])
Operator = Annotated[Caller, Depends(requires("operate"))]


class LettersJob(BaseModel):
    """A selection, and how fast to go."""

    model_config = ConfigDict(extra="forbid")

    selection: Letters
    rate: int = Field(default=0, ge=0, le=100_000, description="messages a second; 0: as fast as it goes")


class ArchiveJob(BaseModel):
    """A part of the archive, and how fast to go."""

    model_config = ConfigDict(extra="forbid")

    selection: Archive
    rate: int = Field(default=0, ge=0, le=100_000, description="events a second; 0: as fast as it goes")


@router.get("/dead-letters/groups")
async def groups(request: Request, _: Operator, state: State = "dead") -> list[dict[str, Any]]:
    """Dead letters by what went wrong, most first."""
    return [dict(row) for row in await request.app.state.service.pool.fetch(Q["groups"], state)]


@router.get("/dead-letters")
async def letters(
    request: Request,
    _: Operator,
    state: State = "dead",
    queue: Text | None = None,
    fingerprint: Text | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> list[dict[str, Any]]:
    """Dead letters, newest first, without their bytes."""
    arguments = (state, queue, fingerprint, since, until, None, limit, offset)
    return [dict(row) for row in await request.app.state.service.pool.fetch(Q["select_letters"], *arguments)]


@router.get("/dead-letters/{identity}")
async def letter(request: Request, _: Operator, identity: UUID) -> dict[str, Any]:
    """One dead letter with its bytes (Base64), and as text when it is text."""
    row = await _letter(request, identity)
    body: bytes = row.pop("body")
    try:
        text: str | None = body.decode()
    except UnicodeDecodeError:
        text = None
    return row | {"bytes": len(body), "body": b64encode(body).decode(), "text": text}


@router.get("/dead-letters/{identity}/body")
async def body(request: Request, _: Operator, identity: UUID) -> Response:
    """The bytes of one dead letter, as they came."""
    row = await _letter(request, identity)
    return Response(row["body"], media_type="application/octet-stream")


@router.post("/dead-letters/plan")
async def plan(
    request: Request, _: Operator, job: LettersJob, action: Literal["replay", "discard", "restore"] = "replay"
) -> dict[str, Any]:
    """What an action would do, by queue and by what went wrong; does nothing."""
    parts = await _plan(request, job.selection, action)
    total = sum(part["count"] for part in parts)
    stranded = sum(part["count"] for part in parts if not part["queue"]) if action == "replay" else 0
    return {"action": action, "letters": total - stranded, "without_queue": stranded, "groups": parts}


@router.post("/dead-letters/{action}", status_code=202)
async def act(
    request: Request, caller: Operator, action: Literal["replay", "discard", "restore"], job: LettersJob
) -> dict[str, Any]:
    """Begin to replay, discard or restore; follow the job by its id. Letters that never reached a queue stay."""
    parts = await _plan(request, job.selection, action)
    total = sum(part["count"] for part in parts if part["queue"] or action != "replay")
    async with request.app.state.service.pool.acquire() as connection:
        identity = await jobs.begin(connection, action, job.selection, by=caller.name, total=total, rate=job.rate)
    return {"job": identity, "letters": total}


@router.post("/archive/plan")
async def plan_archive(request: Request, _: Operator, job: ArchiveJob) -> dict[str, Any]:
    """What a replay of the archive would send; `complete` is false when counting took too long and there is more."""
    return await jobs.count(await request.app.state.service.broker.connect(), job.selection, PLAN_PATIENCE)


@router.post("/archive/replay", status_code=202)
async def replay_archive(
    request: Request, caller: Operator, job: ArchiveJob, expected: Annotated[int, Query(ge=0, le=10**12)] = 0
) -> dict[str, Any]:
    """Begin to send events of the archive into a queue once more; `expected` is what the plan counted."""
    async with request.app.state.service.pool.acquire() as connection:
        identity = await jobs.begin(connection, "archive", job.selection, by=caller.name, total=expected, rate=job.rate)
    return {"job": identity}


@router.get("/jobs")
async def all_jobs(request: Request, _: Operator) -> list[dict[str, Any]]:
    """What operators did, newest first."""
    return [_job(row) for row in await request.app.state.service.pool.fetch(Q["list_jobs"], None)]


@router.get("/jobs/{identity}")
async def job(request: Request, _: Operator, identity: UUID) -> dict[str, Any]:
    """How far a job is."""
    rows = await request.app.state.service.pool.fetch(Q["list_jobs"], identity)
    if not rows:
        raise HTTPException(404, f"job: {identity} is not known")
    return _job(rows[0])


@router.post("/jobs/{identity}/stop", status_code=204)
async def stop(request: Request, _: Operator, identity: UUID) -> None:
    """Stop a job where it is; one that has ended stays as it ended."""
    await job(request, _, identity)
    await request.app.state.service.pool.execute(Q["end_job"], identity, "stopped", None)


async def _plan(request: Request, selection: Letters, action: str) -> list[dict[str, Any]]:
    before, _ = jobs.LETTER_STATES[action]
    rows = await request.app.state.service.pool.fetch(Q["plan_letters"], before, *selection.arguments())
    return [dict(row) for row in rows]


async def _letter(request: Request, identity: UUID) -> dict[str, Any]:
    row = await request.app.state.service.pool.fetchrow(Q["show_letter"], identity)
    if row is None:
        raise HTTPException(404, f"dead letter: {identity} is not known")
    return dict(row)


def _job(row: Any) -> dict[str, Any]:
    return dict(row) | {"selection": json.loads(row["selection"])}
