"""HTTP: look for events in the archive, and replay them into a queue."""

from datetime import timedelta
from typing import Annotated, Self, TypeVar
from uuid import UUID, uuid4

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from returpost.contracts import Title
from services.replay.domain.archive_selection import ArchiveFilter, ArchiveSelection, KeptSelection
from services.replay.http.dependencies import Archive, Asking, Asks, Why
from services.replay.repository import jobs
from services.replay.repository.jobs import JobRequest
from services.replay.runner.archive import ArchiveCount, count_archive
from services.replay.runner.browse import ArchivedEvent, Place, browse, look
from shared.http.dependencies import Database
from shared.http.pagination import Cursor, Page, decode_cursor, encode_cursor

COUNT_TIME = timedelta(seconds=20)
"""How long a plan counts before it answers with what it has."""
MAX_OFFSET = 2**62
WHY = "why: say why you look for an address; it is kept in the audit"

F = TypeVar("F", bound=ArchiveFilter)

router = APIRouter(prefix="/v1", tags=["archive"])


class ArchiveSearchRequest(BaseModel):
    """What to look for; it is no part of an address of the API, which are logged."""

    model_config = ConfigDict(extra="forbid")

    filter: ArchiveFilter
    why: Title = Field(default="", description="Why; wanted for an address, and kept in the audit")

    @model_validator(mode="after")
    def _why(self) -> Self:
        if self.filter.address is not None and len(self.why) < 3:
            raise ValueError(WHY)
        return self


class ArchivePage(Page[ArchivedEvent]):
    """Events in the order of the archive, and how far was looked for them."""

    messages_read: int
    read_to: AwareDatetime | None
    """The time of the last event that was read. A page without events has a `next_cursor` where the time for one
    request was over before the archive was."""


class ArchiveJobRequest(BaseModel):
    """A part of the archive, and how fast to go."""

    model_config = ConfigDict(extra="forbid")

    selection: ArchiveSelection
    rate: int = Field(default=0, ge=0, le=100_000, description="events per second; 0: no limit")
    why: Title = Field(default="", description="Why; wanted for an address, and kept in the audit")

    @model_validator(mode="after")
    def _why(self) -> Self:
        if self.selection.address is not None and len(self.why) < 3:
            raise ValueError(WHY)
        return self


class ArchiveJobStarted(BaseModel):
    """The job that was started."""

    job: UUID


@router.post("/archive/search")
async def search(
    asking: Asks,
    archive: Archive,
    pool: Database,
    wanted: ArchiveSearchRequest,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ArchivePage:
    """Look for events by type, mailing, address, id and time, in the order of the archive; without addresses.

    It reads for up to 5 s. An operator of one tenant finds that tenant's.
    """
    selection = _of(asking, wanted.filter)
    start = None
    if cursor is not None:
        offset, number = decode_cursor(cursor, int, int)
        start = _place(offset or 0, number or 0)
    if selection.address is not None:
        await asking.audit(pool, "search archive", "address", wanted.why)
    found = await browse(archive, selection, start, limit)
    following = encode_cursor(found.next.offset, found.next.number) if found.next else None
    return ArchivePage(
        items=found.events, next_cursor=following, messages_read=found.messages_read, read_to=found.read_to
    )


@router.get("/archive/events/{place}")
async def show(
    asking: Asks,
    archive: Archive,
    pool: Database,
    place: Annotated[str, Path(pattern=r"^\d{1,18}\.\d{1,9}$", description="As the search returns it")],
    why: Why,
) -> dict[str, JsonValue]:
    """Return one event as it was published. It may hold addresses: the audit keeps who looked."""
    offset, _, number = place.partition(".")
    event = await look(archive, _place(int(offset), int(number)), asking.tenant)
    if event is None:
        raise HTTPException(404, f"no event at {place} of the archive")
    await asking.audit(pool, "look", f"archive {place}", why)
    return event


@router.post("/archive/plan")
async def plan(asking: Asks, archive: Archive, wanted: ArchiveJobRequest) -> ArchiveCount:
    """Count what a replay would send; `complete` is false when counting took too long and there is more."""
    return await count_archive(archive, _of(asking, wanted.selection), COUNT_TIME)


@router.post("/archive/replay", status_code=202)
async def replay(
    request: Request,
    pool: Database,
    asking: Asks,
    wanted: ArchiveJobRequest,
    expected: Annotated[int, Query(ge=0, le=10**12)] = 0,
) -> ArchiveJobStarted:
    """Start a job that sends events of the archive to a queue; `expected` is what the plan counted."""
    selection = KeptSelection.of(_of(asking, wanted.selection), request.app.state.token_keys[0])
    job = JobRequest(
        id=uuid4(),
        kind="archive",
        selection=selection,
        by=asking.caller.name,
        tenant=None if asking.of_all else asking.tenant,
        why=wanted.why,
        total=expected,
        rate=wanted.rate,
    )
    async with pool.acquire() as connection, connection.transaction():
        await jobs.insert(connection, job)
        kept = selection.model_dump(mode="json", exclude_none=True, exclude={"address_hash"})
        await asking.audit(connection, "replay archive", f"job {job.id}", wanted.why, selection=kept)
    return ArchiveJobStarted(job=job.id)


def _of(asking: Asking, selection: F) -> F:
    """Return what the operator may see of a selection. Raises HTTP 403 for another tenant's."""
    if asking.tenant is None:
        return selection
    if selection.tenant not in (None, asking.tenant):
        raise HTTPException(403, f"tenant: you ask for {asking.tenant}")
    return selection.model_copy(update={"tenant": asking.tenant})


def _place(offset: int, number: int) -> Place:
    return Place(min(max(offset, 0), MAX_OFFSET), max(number, 0))
