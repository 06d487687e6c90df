"""Lists of addresses in and out: imports with their reports, and exports."""

import json
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse

from returpost.contracts import Text, ids
from services.blocklist.address_state.http.blocks import Filter, Q as BLOCKS
from services.blocklist.jobs import repository
from services.blocklist.jobs.http import finished
from services.blocklist.suppression_files.entry import Kind
from services.blocklist.suppression_files.reader import Format
from services.blocklist.suppression_files.upload import Action, Q, Wanted, receive
from services.blocklist.suppression_files.writer import TYPES, ListWriter
from shared.database.pool import Pool
from shared.http.callers import Reader, Tenant, Writer

PAGE = 5_000
LATEST = datetime.max.replace(tzinfo=UTC)
HIGHEST = UUID(int=2**128 - 1)
NDJSON = "application/x-ndjson"

router = APIRouter()
Name = Annotated[str | None, Header(alias="Idempotency-Key", pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


@router.post("/blocks/imports", status_code=202)
async def begin_import(
    request: Request,
    response: Response,
    caller: Writer,
    tenant: Tenant = None,
    action: Action = Action.BLOCK,
    kind: Kind = Kind.BOUNCE,
    dry_run: bool = False,
    note: Annotated[Text, Query(max_length=200)] = "",
    idempotency_key: Name = None,
) -> dict[str, Any]:
    """Hand in a list of any length as the body: CSV, JSON lines, or what SES, SendGrid, Mailgun or Postmark give out.

    Nothing happens until the whole list is here; then it is worked off in the background, also after a crash. A dry
    run tells what would happen. `kind` is what the rows are where they do not say. With the Idempotency-Key of an
    import that is already here, that one is answered.
    """
    owner, state = caller.tenant_for(tenant), request.app.state
    pool: Pool = state.service.pool
    if idempotency_key is not None:
        known = await pool.fetchrow(Q["find"], owner, idempotency_key)
        if known is not None and known["state"] != "receiving":
            return await _one(pool, owner, known["id"])
        if known is not None:  # its caller is gone, or never was heard to the end
            await pool.execute(Q["discard"], known["id"])
    wanted = Wanted(owner, action, kind, dry_run, caller.name, note, idempotency_key)
    identity = await receive(pool, wanted, request.stream(), state.clock())
    state.list_received.set()
    response.headers["Location"] = f"/v1/blocks/imports/{identity}"
    return await _one(pool, owner, identity)


@router.get("/blocks/imports")
async def imports(
    request: Request,
    caller: Reader,
    tenant: Tenant = None,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """A page of the imports, the newest first; `next` is what to give as `after` for the page that follows."""
    owner, pool = caller.tenant_for(tenant), request.app.state.service.pool
    begun_at = LATEST
    if after is not None:
        begun_at = datetime.fromisoformat((await _one(pool, owner, after))["begun_at"])
    rows = await pool.fetch(Q["newest"], owner, begun_at, after or HIGHEST, limit)
    return {"imports": [_shown(row) for row in rows], "next": rows[-1]["id"] if len(rows) == limit else None}


@router.get("/blocks/imports/{identity}")
async def one_import(request: Request, caller: Reader, identity: UUID, tenant: Tenant = None) -> dict[str, Any]:
    """How far an import is, and what became of its rows by outcome."""
    return await _one(request.app.state.service.pool, caller.tenant_for(tenant), identity)


@router.get("/blocks/imports/{identity}/report", response_class=StreamingResponse)
async def import_report(
    request: Request, caller: Reader, identity: UUID, tenant: Tenant = None, outcome: str | None = None
) -> StreamingResponse:
    """What became of each row, a line of JSON each: its number, the outcome, and the problem if it has one.

    No addresses: whoever handed in the list has them.
    """
    pool: Pool = request.app.state.service.pool
    await _one(pool, caller.tenant_for(tenant), identity)
    return StreamingResponse(_report(pool, identity, outcome), media_type=NDJSON)


@router.get("/blocks/export", response_class=StreamingResponse)
async def export(
    request: Request,
    caller: Reader,
    wanted: Annotated[Filter, Query()],
    tenant: Tenant = None,
    format: Format = Format.CSV,  # noqa: A002 - the name that callers see
    kind: Kind | None = None,
) -> StreamingResponse:
    """All blocks, newest first, as CSV, JSON lines, or as SES, SendGrid, Mailgun or Postmark take them.

    SendGrid and Mailgun keep complaints in a list apart: `kind` says which one. `limit` and `after` have no effect.
    """
    owner = caller.tenant_for(tenant)
    chosen = Format.CSV if format is Format.AUTO else format
    writer = ListWriter(chosen, kind)
    texts = _texts(request.app.state.service.pool, owner, wanted, writer)
    return StreamingResponse(texts, media_type=TYPES.get(chosen, "text/csv; charset=utf-8"))


@router.post("/blocks/imports/{identity}/undo", status_code=202)
async def undo_import(request: Request, caller: Writer, identity: UUID, tenant: Tenant = None) -> dict[str, Any]:
    """Take back what an import did, as an operation: its blocks, its clears and what it added to histories.

    An address of which somebody has said something since stays as it is.
    """
    owner, pool, now = caller.tenant_for(tenant), request.app.state.service.pool, request.app.state.clock()
    done = await _one(pool, owner, identity)
    if done["dry_run"] or done["state"] != "finished":
        raise HTTPException(409, "import: has changed nothing, or is not finished")
    operation = ids.of_content("undo of import", str(identity))
    what = {"import": str(identity), "received_at": done["received_at"]}
    note = f"undo of import {identity}"
    async with request.app.state.service.uow_factory.begin() as work:
        await repository.request(
            work.connection, operation, owner, repository.Kind.IMPORT_UNDO, what, caller.name, note, now
        )
    request.app.state.work_requested.set()
    return await finished(request, owner, UUID(operation))


async def _texts(pool: Pool, tenant: str, wanted: Filter, writer: ListWriter) -> AsyncIterator[str]:
    yield writer.begin()
    since: datetime | None = None
    address: str | None = None
    while rows := await pool.fetch(
        BLOCKS["list_blocks"], tenant, since, address, wanted.cause, wanted.reason, wanted.domain, PAGE
    ):
        since, address = rows[-1]["since"], rows[-1]["address"]
        yield writer.blocks([dict(row) for row in rows])
    yield writer.end()


async def _report(pool: Pool, identity: UUID, outcome: str | None) -> AsyncIterator[str]:
    n = -1
    while row := await pool.fetchrow(Q["report"], identity, n):
        n = row["n"]
        text = zlib.decompress(row["report"]).decode()
        if outcome is None:
            yield text
        else:
            yield "".join(line for line in text.splitlines(keepends=True) if json.loads(line)["outcome"] == outcome)


async def _one(pool: Pool, tenant: str, identity: UUID) -> dict[str, Any]:
    row = await pool.fetchrow(Q["one"], tenant, identity)
    if row is None:
        raise HTTPException(404, "there is no such import")
    return _shown(row)


def _shown(row: Any) -> dict[str, Any]:
    values = dict(row) | {"outcomes": json.loads(row["outcomes"]), "id": str(row["id"])}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
