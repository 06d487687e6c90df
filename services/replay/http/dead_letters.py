"""HTTP: look at dead letters; plan, then replay, discard or restore them."""

from base64 import b64encode
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from returpost.contracts import Text
from services.replay.domain.selection import DeadLetterSelection, State
from services.replay.http.cursors import decode_time_and_id
from services.replay.job_runner import DEAD_LETTER_STATES
from services.replay.repository import dead_letters, jobs
from services.replay.repository.dead_letters import DeadLetterRow, FailureGroup, SelectedGroup, StoredDeadLetter
from shared.database.pool import Pool
from shared.http.dependencies import Database, Operator
from shared.http.pagination import Cursor, Page, encode_cursor

router = APIRouter(prefix="/v1", tags=["dead letters"])
Action = Literal["replay", "discard", "restore"]


class DeadLetterJobRequest(BaseModel):
    """A selection, and how fast to go."""

    model_config = ConfigDict(extra="forbid")

    selection: DeadLetterSelection
    rate: int = Field(default=0, ge=0, le=100_000, description="messages per second; 0: no limit")


class DeadLetterDetails(BaseModel):
    """One dead letter with its body."""

    id: UUID
    failed_at: datetime
    queue: str
    exchange: str
    routing_key: str
    published_by: str
    """The broker's user that published it; empty when the message does not name it."""
    attempt: int
    error: str
    stack: str
    fingerprint: str
    content_type: str
    state: str
    kept_at: datetime
    changed_at: datetime | None
    changed_by: str | None
    bytes: int
    body: str
    """Base64."""
    text: str | None
    """The body when it is UTF-8."""


class DeadLetterPlan(BaseModel):
    """What an action would do."""

    action: Action
    dead_letters: int
    without_queue: int
    """Selected ones that never reached a queue: they cannot be replayed, and stay."""
    groups: list[SelectedGroup]


class DeadLetterJobStarted(BaseModel):
    """The job that was started."""

    job: UUID
    dead_letters: int


@router.get("/dead-letters/groups")
async def groups(pool: Database, _: Operator, state: State = "dead") -> Page[FailureGroup]:
    """Group dead letters by queue and failure, largest group first."""
    return Page(items=await dead_letters.group(pool, state))


@router.get("/dead-letters")
async def list_dead_letters(
    pool: Database,
    _: Operator,
    state: State = "dead",
    queue: Text | None = None,
    fingerprint: Text | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Page[DeadLetterRow]:
    """List dead letters without their bodies, newest first."""
    selection = DeadLetterSelection(all=True, queue=queue, fingerprint=fingerprint, since=since, until=until)
    rows = await dead_letters.list_page(pool, state, selection, decode_time_and_id(cursor), limit + 1)
    if len(rows) <= limit:
        return Page(items=rows)
    last = rows[limit - 1]
    return Page(items=rows[:limit], next_cursor=encode_cursor(last.failed_at.isoformat(), str(last.id)))


@router.get("/dead-letters/{identity}")
async def show_dead_letter(pool: Database, _: Operator, identity: UUID) -> DeadLetterDetails:
    """Return one dead letter with its body."""
    found = await _get(pool, identity)
    try:
        text: str | None = found.body.decode()
    except UnicodeDecodeError:
        text = None
    encoded = {"bytes": len(found.body), "body": b64encode(found.body).decode(), "text": text}
    return DeadLetterDetails.model_validate(asdict(found) | encoded)


@router.get("/dead-letters/{identity}/body", response_class=Response)
async def body(pool: Database, _: Operator, identity: UUID) -> Response:
    """Return the body of one dead letter as it arrived."""
    return Response((await _get(pool, identity)).body, media_type="application/octet-stream")


@router.post("/dead-letters/plan")
async def plan(pool: Database, _: Operator, wanted: DeadLetterJobRequest, action: Action = "replay") -> DeadLetterPlan:
    """Count what an action would do, by queue and failure; change nothing."""
    found = await dead_letters.count_selected(pool, DEAD_LETTER_STATES[action][0], wanted.selection)
    stranded = sum(group.count for group in found if not group.queue) if action == "replay" else 0
    total = sum(group.count for group in found)
    return DeadLetterPlan(action=action, dead_letters=total - stranded, without_queue=stranded, groups=found)


@router.post("/dead-letters/{action}", status_code=202)
async def act(pool: Database, caller: Operator, action: Action, wanted: DeadLetterJobRequest) -> DeadLetterJobStarted:
    """Start a job that replays, discards or restores. What never reached a queue is not replayed."""
    found = await dead_letters.count_selected(pool, DEAD_LETTER_STATES[action][0], wanted.selection)
    total = sum(group.count for group in found if group.queue or action != "replay")
    async with pool.acquire() as connection:
        identity = await jobs.insert(
            connection, action, wanted.selection, by=caller.name, total=total, rate=wanted.rate
        )
    return DeadLetterJobStarted(job=identity, dead_letters=total)


async def _get(pool: Pool, identity: UUID) -> StoredDeadLetter:
    found = await dead_letters.get(pool, identity)
    if found is None:
        raise HTTPException(404, f"dead letter {identity} not found")
    return found
