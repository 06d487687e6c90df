"""HTTP: look at dead letters: groups, search, one of them with its history, its bytes; notes on groups."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict

from returpost.contracts import Note, Text, Title
from services.replay.domain.selection import DeadLetterSelection, GroupField, State
from services.replay.http.dependencies import Asks, Why
from services.replay.repository import audit, dead_letters
from services.replay.repository.audit import GroupNote
from services.replay.repository.dead_letters import Scope
from services.replay.repository.rows import DeadLetterDetails, DeadLetterRow, FailureGroup, LinkedRow
from shared.http.dependencies import Database
from shared.http.pagination import Cursor, Page, decode_id, encode_cursor

T = TypeVar("T")

router = APIRouter(prefix="/v1", tags=["dead letters"])


class DeadLetterPage(Page[DeadLetterRow]):
    """One page of dead letters, and how many there are in all."""

    total: int


class NoteRequest(BaseModel):
    """What operators know of a failure."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["new", "known", "being mended"]
    owner: Title = ""
    note: Note = ""


@router.get("/dead-letters/groups")
async def groups(
    pool: Database,
    asking: Asks,
    by: Annotated[Sequence[GroupField], Query(description="Any of the fields")] = ("fingerprint", "queue"),
    state: State = "dead",
    queue: Text | None = None,
    type: Text | None = None,
    release: Text | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Page[FailureGroup]:
    """Group dead letters by any of six fields, the largest of up to 500 groups first."""
    selection = DeadLetterSelection(all=True, queue=queue, type=type, release=release, since=since, until=until)
    found = await dead_letters.group(pool, Scope(asking.tenant, state), selection, by, asking.notes)
    return Page(items=found)


@router.get("/dead-letters/groups/{fingerprint}/note")
async def show_note(pool: Database, asking: Asks, fingerprint: Text) -> GroupNote:
    """Return the note on a failure, as the operators of the same tenant, or of all, wrote it."""
    found = await audit.get_note(pool, asking.notes, fingerprint)
    if found is None:
        raise HTTPException(404, f"no note on {fingerprint}")
    return found


@router.put("/dead-letters/groups/{fingerprint}/note", status_code=204)
async def put_note(pool: Database, asking: Asks, fingerprint: Text, wanted: NoteRequest) -> None:
    """Say what is known of a failure: status, owner, note."""
    await audit.put_note(
        pool, asking.notes, fingerprint, wanted.status, wanted.owner, wanted.note, by=asking.caller.name
    )


@router.get("/dead-letters")
async def list_dead_letters(
    pool: Database,
    asking: Asks,
    state: State | None = "dead",
    queue: Text | None = None,
    fingerprint: Text | None = None,
    error_type: Text | None = None,
    type: Text | None = None,
    mailing: Text | None = None,
    event: Text | None = None,
    release: Text | None = None,
    text: Annotated[Text | None, Query(description="A part of the error, in any case")] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    job: UUID | None = None,
    any_state: bool = False,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> DeadLetterPage:
    """Search dead letters, without their bodies, the latest arrivals first."""
    selection = DeadLetterSelection(
        all=True, queue=queue, fingerprint=fingerprint, error_type=error_type, type=type, mailing=mailing, event=event,
        release=release, text=text, since=since, until=until, job=job,
    )  # fmt: skip
    scope = Scope(asking.tenant, None if any_state else state)
    total = await dead_letters.count(pool, scope, selection)
    rows = await dead_letters.list_page(pool, scope, selection, decode_id(cursor), limit + 1)
    more = len(rows) > limit
    return DeadLetterPage(
        items=rows[:limit], total=total, next_cursor=encode_cursor(rows[limit - 1].number) if more else None
    )


@router.get("/dead-letters/{identity}")
async def show_dead_letter(pool: Database, asking: Asks, identity: UUID) -> DeadLetterDetails:
    """Return one dead letter without its body."""
    return found(await dead_letters.get(pool, identity, asking.tenant), identity)


@router.get("/dead-letters/{identity}/history")
async def history(pool: Database, asking: Asks, identity: UUID) -> Page[LinkedRow]:
    """Return what one is linked with, the first failure first: each failed again as the next, or was edited into it."""
    found(await dead_letters.get(pool, identity, asking.tenant), identity)
    return Page(items=await dead_letters.history(pool, identity))


@router.get("/dead-letters/{identity}/body", response_class=Response)
async def body(pool: Database, asking: Asks, identity: UUID, why: Why) -> Response:
    """Return the bytes of one dead letter as they arrived. They may hold addresses: the audit keeps who looked."""
    raw = found(await dead_letters.get_body(pool, identity, asking.tenant), identity)
    await asking.audit(pool, "look", str(identity), why)
    return Response(raw, media_type="application/octet-stream")


def found(value: T | None, identity: UUID) -> T:
    """Return what was found. Raises HTTP 404."""
    if value is None:
        raise HTTPException(404, f"dead letter {identity} not found")
    return value
