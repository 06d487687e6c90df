"""Compare with a provider's suppression list."""

import json
from dataclasses import asdict
from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from services.blocklist.checks.http.check import IN_MEMORY, NDJSON, sent
from services.blocklist.suppression_files.entry import Kind, moment
from services.blocklist.suppression_files.reader import Format, ListReader
from services.blocklist.suppression_files.reconciliation import Reconciliation, Summary
from services.blocklist.suppression_files.writer import TYPES, Block, ListWriter
from shared.http.dependencies import Reader, Tenant

router = APIRouter()


@router.post(
    "/reconcile",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {"schema": TypeAdapter(Summary).json_schema()}}}},
)
async def reconcile(
    request: Request, caller: Reader, tenant: Tenant = None, kind: Kind = Kind.BOUNCE
) -> StreamingResponse:
    """Hand in a provider's list as the body, of any length; what either side lacks is answered.

    Lines of JSON: `missing` is `here` or `there`; what is missing here and was `lifted` by us is to be taken off their
    list rather than blocked. The last line counts: without it, the answer is not whole. Nothing is changed.
    """
    work = Reconciliation(request.app.state.service.pool, caller.tenant_for(tenant), request.app.state.clock())
    kept = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed when it has been sent
    try:
        async for line in work.missing_here(ListReader(kind), request.stream()):
            kept.write(_line(line))
        async for line in work.missing_there():
            kept.write(_line(line))
    except BaseException:
        kept.close()
        raise
    kept.write(_line(asdict(work.summary)))
    kept.seek(0)
    return StreamingResponse(sent(kept), media_type=NDJSON)


@router.post(
    "/reconcile/file",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def provider_file(
    request: Request,
    _: Reader,
    format: Format = Format.CSV,  # noqa: A002 - the name that callers see
) -> StreamingResponse:
    """Hand in lines that a comparison has answered; they are answered as the file that the provider takes in.

    Nothing is read or stored here. A line that is no block is refused (422) with its number.
    """
    chosen = Format.CSV if format is Format.AUTO else format
    writer, kept = ListWriter(chosen), SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed when it has been sent
    try:
        kept.write(writer.begin().encode())
        number, rest = 0, b""
        async for piece in request.stream():
            *lines, rest = (rest + piece).split(b"\n")
            blocks = [_block(line, number + n) for n, line in enumerate(lines, 1)]
            number += len(lines)
            kept.write(writer.blocks(blocks).encode())
        kept.write(writer.blocks([_block(rest, number + 1)] if rest else []).encode() + writer.end().encode())
    except BaseException:
        kept.close()
        raise
    kept.seek(0)
    return StreamingResponse(sent(kept), media_type=TYPES.get(chosen, "text/csv; charset=utf-8"))


def _block(line: bytes, number: int) -> Block:
    try:
        block: dict[str, Any] = json.loads(line)
        since = moment(block["since"])
        if since is None or not all(isinstance(block[name], str) for name in ("address", "cause")):
            raise ValueError
    except (ValueError, LookupError, TypeError):
        raise HTTPException(422, f"line {number}: not a block; expected address, cause, reason and since") from None
    return {"reason": None} | block | {"since": since}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=_text).encode() + b"\n"


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
