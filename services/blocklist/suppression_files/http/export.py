"""Exports of blocks, in our own form or in one that a provider takes."""

from collections.abc import AsyncIterator
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from returpost.contracts.enums import BlockCause, Reason
from services.blocklist.address_state.http.blocks import Domain
from services.blocklist.address_state.repository import views
from services.blocklist.suppression_files.entry import Kind
from services.blocklist.suppression_files.reader import Format
from services.blocklist.suppression_files.writer import TYPES, ListWriter
from shared.database.pool import Pool
from shared.http.dependencies import Reader, Tenant

PAGE = 5_000

router = APIRouter()


@router.get(
    "/blocks/export",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def export(
    request: Request,
    caller: Reader,
    cause: BlockCause | None = None,
    reason: Reason | None = None,
    domain: Domain = None,
    tenant: Tenant = None,
    format: Format = Format.CSV,  # noqa: A002 - the name that callers see
    kind: Kind | None = None,
) -> StreamingResponse:
    """All blocks, newest first, as CSV, JSON lines, or as SES, SendGrid, Mailgun or Postmark take them.

    SendGrid and Mailgun keep bounces, complaints and unsubscribes apart: `kind` says which list. What only some streams
    skip stands in no provider's list, since that would stop all mail.
    """
    owner = caller.tenant_for(tenant)
    chosen = Format.CSV if format is Format.AUTO else format
    texts = _texts(request.app.state.service.pool, owner, cause, reason, domain, ListWriter(chosen, kind))
    return StreamingResponse(texts, media_type=TYPES.get(chosen, "text/csv; charset=utf-8"))


async def _texts(
    pool: Pool,
    tenant: str,
    cause: BlockCause | None,
    reason: Reason | None,
    domain: str | None,
    writer: ListWriter,
) -> AsyncIterator[str]:
    yield writer.begin()
    before: tuple[datetime | None, str | None] = (None, None)
    while rows := await views.list_blocks(pool, tenant, before, cause, reason, domain, PAGE):
        before = (rows[-1]["since"], rows[-1]["address"])
        yield writer.blocks([dict(row) for row in rows])
    yield writer.end()
