"""HTTP: edit a dead letter, and export dead letters with their bytes."""

import csv
import io
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from returpost.contracts import Text, Title
from services.replay.domain.dead_letter import DeadLetter, identity as identity_of
from services.replay.domain.edit import difference, edited_event
from services.replay.domain.event_facts import read_facts
from services.replay.domain.selection import DeadLetterSelection, State
from services.replay.http.dead_letters import found
from services.replay.http.dependencies import AdministratorAsks, Asks, Why
from services.replay.repository import dead_letters
from services.replay.repository.dead_letters import Scope
from services.replay.repository.rows import DeadLetterRow
from shared.database.pool import Pool
from shared.http.dependencies import Database

router = APIRouter(prefix="/v1", tags=["dead letters"])
EXPORT_PAGE = 200


class EditRequest(BaseModel):
    """The event as it should be; its id is derived anew."""

    model_config = ConfigDict(extra="forbid")

    body: Text = Field(max_length=16 * 1024 * 1024, description="One event as JSON")
    why: Title = Field(min_length=3, description="Why; it is kept in the audit")
    dry_run: bool = Field(default=False, description="Only check it and show the difference")


class Edited(BaseModel):
    """What an edit made, and how it differs from the original."""

    dead_letter: UUID | None
    """The new one, which can be replayed; null after a dry run."""
    difference: list[str]


@router.post("/dead-letters/{identity}/edit")
async def edit(
    request: Request, pool: Database, asking: AdministratorAsks, identity: UUID, wanted: EditRequest
) -> Edited:
    """Make an edited dead letter of one that is dead: linked to it, under a new id, checked against its contract.

    Takes a token that may also administer. The original becomes `edited`; the new one is replayed like any other.
    """
    if not request.app.state.service.settings.edit_enabled:
        raise HTTPException(409, "editing is off: RETURPOST_REPLAY_EDIT_ENABLED turns it on")
    original = found(await dead_letters.get(pool, identity, asking.tenant), identity)
    before = found(await dead_letters.get_body(pool, identity, asking.tenant), identity)
    if original.state != "dead":
        raise HTTPException(409, f"dead letter {identity} is {original.state}; only one that is dead can be edited")
    after = edited_event(original.event_id or str(identity), wanted.body.encode())
    shown = difference(before, after)
    if wanted.dry_run:
        return Edited(dead_letter=None, difference=shown)
    facts = read_facts(after, original.queue, original.exchange, original.routing_key)
    if facts.obstacle or facts.tenant != original.tenant:
        raise HTTPException(422, f"tenant: {facts.obstacle or 'an edit cannot give it to another tenant'}")
    made = DeadLetter(
        failed_at=datetime.now(UTC), body=after, replay_part="", quarantined=False,
        content_type="application/cloudevents+json",
        **{
            name: getattr(original, name)
            for name in ("queue", "exchange", "routing_key", "published_by", "attempt", "error", "error_type", "stack",
                         "fingerprint", "release", "headers")
        },
    )  # fmt: skip
    new = identity_of(made)
    async with pool.acquire() as connection, connection.transaction():
        await dead_letters.insert(connection, {str(new): made})
        if not await dead_letters.replace_by(connection, identity, new, asking.caller.name):
            raise HTTPException(409, f"dead letter {identity} is no longer dead")
        await asking.audit(connection, "edit", str(identity), wanted.why, edited=str(new), lines=len(shown))
    return Edited(dead_letter=new, difference=shown)


@router.get("/dead-letters-export", response_class=StreamingResponse)
async def export(
    pool: Database,
    asking: Asks,
    why: Why,
    form: Annotated[Literal["jsonl", "csv"], Field(description="JSON lines or CSV")] = "jsonl",
    state: State | None = "dead",
    queue: Text | None = None,
    fingerprint: Text | None = None,
    type: Text | None = None,
    mailing: Text | None = None,
) -> StreamingResponse:
    """Export dead letters with their bytes (base64), the latest arrivals first, as JSON lines or CSV."""
    selection = DeadLetterSelection(all=True, queue=queue, fingerprint=fingerprint, type=type, mailing=mailing)
    scope = Scope(asking.tenant, state)
    total = await dead_letters.count(pool, scope, selection)
    await asking.audit(pool, "export", f"{total} dead letters", why, **selection.stored().model_dump(exclude_none=True))
    kind = "text/csv" if form == "csv" else "application/x-ndjson"
    return StreamingResponse(_exported(pool, scope, selection, form), media_type=kind)


async def _exported(pool: Pool, scope: Scope, selection: DeadLetterSelection, form: str) -> AsyncIterator[bytes]:
    before: int | None = None
    while True:
        rows = await dead_letters.list_page(pool, scope, selection, before, EXPORT_PAGE)
        bodies = await dead_letters.bodies(pool, [row.id for row in rows])
        values = [_line(row, bodies.get(row.id, b"")) for row in rows]
        yield (
            _csv(values, header=before is None)
            if form == "csv"
            else b"".join(orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z) + b"\n" for value in values)
        )
        if len(rows) < EXPORT_PAGE:
            return
        before = rows[-1].number


def _line(row: DeadLetterRow, body: bytes) -> dict[str, Any]:
    return asdict(row) | {"body": b64encode(body).decode()}


def _csv(values: list[dict[str, Any]], *, header: bool) -> bytes:
    """What begins like a formula is quoted: spreadsheets run it (https://owasp.org/www-community/attacks/CSV_Injection)."""
    out = io.StringIO()
    names = [*DeadLetterRow.__dataclass_fields__, "body"]
    writer = csv.writer(out)
    if header:
        writer.writerow(names)
    for value in values:
        texts = ["" if value[name] is None else str(value[name]) for name in names]
        writer.writerow([f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text for text in texts])
    return out.getvalue().encode()
