"""HTTP: follow one address, mailing or event through all services."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from returpost.contracts import Address, Id, Title
from services.replay.domain.selection import State
from services.replay.domain.trace import QueueState, Subject, TraceStep, with_dead_letters
from services.replay.http.dependencies import Archive, Asks
from services.replay.repository import dead_letters
from services.replay.repository.rows import DeadLetterRow
from services.replay.runner.trace import trace
from shared.http.dependencies import Database

DAYS = 7

router = APIRouter(prefix="/v1", tags=["archive"])


class TraceRequest(BaseModel):
    """One of address, mailing and event; it is no part of an address of the API, which are logged."""

    model_config = ConfigDict(extra="forbid")

    address: Address | None = None
    mailing: Id | None = None
    event: Id | None = None
    since: AwareDatetime | None = Field(default=None, description="Events from this time on; else of the last 7 days")
    why: Title = Field(min_length=3, description="Why; it is kept in the audit")

    @model_validator(mode="after")
    def _one(self) -> "TraceRequest":
        if sum(value is not None for value in (self.address, self.mailing, self.event)) != 1:
            raise ValueError("specify one of address, mailing, event")
        return self


class TraceFound(BaseModel):
    """A time line, and which of its events died."""

    steps: list[TraceStep]
    dead_letters: list[DeadLetterRow]
    """Of these events, whatever became of them since."""
    complete: bool
    """False: there are more events, or the archive is longer than was read; ask for a later `since`."""


@router.post("/trace")
async def follow(asking: Asks, archive: Archive, pool: Database, wanted: TraceRequest) -> TraceFound:
    """Follow one address, mailing or event: its events in the archive in their order, each with what it follows from
    and where it is in each queue that takes it.

    Up to 1,000 events, as far as the archive can be read in 20 s; of an event all that concern its address and mailing.
    """
    since = wanted.since or datetime.now(UTC) - timedelta(days=DAYS)
    subject = Subject(wanted.address, wanted.mailing, wanted.event)
    kind = "address" if wanted.address else "mailing" if wanted.mailing else "event"
    # The audit keeps no address: what an erasure leaves behind would be found there.
    await asking.audit(pool, "trace", f"{kind} {wanted.mailing or wanted.event or ''}".strip(), wanted.why)
    found = await trace(archive, subject, asking.tenant, since)
    events = {step.id for step in found.steps} | ({wanted.event} if wanted.event else set())
    died = await dead_letters.of_events(pool, [one for one in sorted(events) if one.isprintable()], asking.tenant)
    return TraceFound(steps=_with(died, found.steps), dead_letters=died, complete=found.complete)


def _with(died: Sequence[DeadLetterRow], steps: Iterable[TraceStep]) -> list[TraceStep]:
    by_event: dict[str, list[QueueState]] = defaultdict(list)
    for dead in died:
        state = cast("State", dead.state)
        by_event[dead.event_id].append(QueueState(dead.queue, state, dead_letter=dead.id))
    return [with_dead_letters(step, by_event[step.id]) for step in steps]
